/**
 * client-options.test - each parameter is read under the name of the program: `smtp_x` by smtp(8), `lmtp_x` by lmtp(8)
 */
import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import { readClientOptions, type ClientOptions, type Protocol } from './client-options.ts'
import { openClientTables } from './client-tables.ts'

const OWN = { inet_interfaces: '127.0.0.1' }

/** Without `smtp_` or `lmtp_`: a value that is not the default of either, and where it shows. */
const OPTIONS: Record<string, readonly [string, (options: ClientOptions) => unknown, unknown]> = {
  address_preference: ['ipv6', ({ order }) => order.preferredFamily, 'ipv6'],
  address_verify_target: ['data', (options) => options.probeTarget, 'data'],
  balance_inet_protocols: ['no', ({ order }) => order.isBalanced, false],
  bind_address: ['192.0.2.1', (options) => options.bindAddress, '192.0.2.1'],
  bind_address6: ['2001:db8::1', (options) => options.bindAddress6, '2001:db8::1'],
  bind_address_enforce: ['yes', (options) => options.enforcesBind, true],
  chunking_enable: ['yes', (options) => options.sendsChunks, true],
  cname_overrides_servername: ['yes', (options) => options.usesCanonicalNames, true],
  connect_timeout: ['7s', ({ timeouts }) => timeouts.connectMs, 7000],
  connection_cache_on_demand: ['no', (options) => options.cachesOnDemand, false],
  connection_cache_time_limit: ['7s', (options) => options.cacheTtlSeconds, 7],
  connection_reuse_count_limit: ['7', (options) => options.reuseCountLimit, 7],
  connection_reuse_time_limit: ['7s', (options) => options.reuseTimeLimitSeconds, 7],
  data_done_timeout: ['7s', ({ timeouts }) => timeouts.dataDoneMs, 7000],
  data_init_timeout: ['7s', ({ timeouts }) => timeouts.dataInitMs, 7000],
  data_xfer_timeout: ['7s', ({ timeouts }) => timeouts.dataTransferMs, 7000],
  dns_resolver_options: [
    'res_dnsrch',
    (options) => options.search,
    { defaultNames: false, searchList: true },
  ],
  dns_support_level: ['dnssec', (options) => options.dnsSupport, 'dnssec'],
  fallback_relay: ['a.test, b.test', (options) => options.fallbackRelays, ['a.test', 'b.test']],
  host_lookup: ['dns, native', ({ usesDns, usesNative }) => usesDns && usesNative, true],
  line_length_limit: ['70', (options) => options.lineLengthLimit, 70],
  mail_timeout: ['7s', ({ timeouts }) => timeouts.mailMs, 7000],
  min_data_rate: ['7', (options) => options.minDataRate, 7],
  mx_address_limit: ['7', ({ addressLimit, order }) => [addressLimit, order.addressLimit], [7, 7]],
  mx_session_limit: ['7', (options) => options.sessionLimit, 7],
  per_record_deadline: ['yes', (options) => options.hasRequestDeadline, true],
  per_request_deadline: ['yes', (options) => options.hasRequestDeadline, true],
  pix_workaround_delay_time: ['7s', (options) => options.pixDelayMs, 7000],
  pix_workaround_threshold_time: ['7s', (options) => options.pixThresholdMs, 7000],
  pix_workarounds: [
    'delay_dotcrlf',
    ({ pixWorkarounds }) => [...pixWorkarounds],
    ['delay_dotcrlf'],
  ],
  quit_timeout: ['7s', ({ timeouts }) => timeouts.quitMs, 7000],
  quote_rfc821_envelope: ['no', (options) => options.quotesEnvelope, false],
  randomize_addresses: ['no', ({ order }) => order.isRandom, false],
  rcpt_timeout: ['7s', ({ timeouts }) => timeouts.rcptMs, 7000],
  rset_timeout: ['7s', ({ timeouts }) => timeouts.rsetMs, 7000],
  send_xforward_command: ['yes', (options) => options.sendsXforward, true],
  skip_5xx_greeting: ['no', (options) => options.skips5xxGreeting, false],
  tcp_port: ['2525', ({ nexthop }) => nexthop.defaultPort, '2525'],
  xforward_timeout: ['7s', ({ timeouts }) => timeouts.xforwardMs, 7000],
}

for (const protocol of ['smtp', 'lmtp'] satisfies Protocol[]) {
  const other = protocol === 'smtp' ? 'lmtp' : 'smtp'
  t.test(`${protocol}(8) reads its own parameters, and not those of ${other}(8)`, (t) => {
    const read = (settings: Record<string, string>): ClientOptions =>
      readClientOptions(MainConfig.of(settings), protocol, protocol)
    for (const [name, [value, pick, expected]] of Object.entries(OPTIONS)) {
      t.same(pick(read({ [`${protocol}_${name}`]: value })), expected, name)
      t.same(pick(read({ [`${other}_${name}`]: value })), pick(read({})), `${other}_${name}`)
      t.notSame(pick(read({})), expected, `${name}: not the default`)
    }
    t.end()
  })
}

t.test('parameters that have different names, or different defaults', (t) => {
  const read = (protocol: Protocol, settings: Record<string, string> = {}): ClientOptions =>
    readClientOptions(MainConfig.of(settings), protocol, protocol)
  t.equal(read('lmtp', { lmtp_lhlo_name: 'x.test' }).heloName, 'x.test')
  t.equal(read('smtp', { smtp_helo_name: 'x.test' }).heloName, 'x.test')
  t.equal(read('lmtp', { lmtp_lhlo_timeout: '7s' }).timeouts.helloMs, 7000)
  t.equal(read('smtp', { smtp_helo_timeout: '7s' }).timeouts.helloMs, 7000)
  const keywords = (protocol: Protocol, name: string): string[] => [
    ...read(protocol, { [name]: 'dsn, size' }).discardedKeywords,
  ]
  t.same(keywords('lmtp', 'lmtp_discard_lhlo_keywords'), ['dsn', 'size'])
  t.same(keywords('smtp', 'smtp_discard_ehlo_keywords'), ['dsn', 'size'])
  t.equal(read('lmtp').skipsQuitReply, false)
  t.equal(read('smtp').skipsQuitReply, true)
  t.equal(read('lmtp', { lmtp_skip_quit_response: 'yes' }).skipsQuitReply, true)
  t.equal(read('lmtp', { smtp_defer_if_no_mx_address_found: 'yes' }).defersWithoutMxAddress, false)
  t.equal(read('lmtp', { fallback_relay: 'a.test' }).fallbackRelayText, '')
  t.equal(read('smtp', { fallback_relay: 'a.test' }).fallbackRelayText, 'a.test')
  t.equal(read('smtp', { disable_dns_lookups: 'yes' }).dnsSupport, 'disabled')
  t.same(read('smtp', { inet_protocols: 'ipv6' }).families, ['ipv6'])
  t.equal(read('smtp', { tcp_windowsize: '4096' }).windowBytes, 4096)
  t.end()
})

const TABLES = [
  ['pix_workaround_maps', 'findPixWorkarounds'],
  ['generic_maps', 'generic'],
  ['dns_reply_filter', 'dnsFilter'],
  ['reply_filter', 'filterReply'],
  ['connection_cache_destinations', 'isCachedDestination'],
  ['header_checks', 'checks'],
  ['mime_header_checks', 'checks'],
  ['nested_header_checks', 'checks'],
  ['body_checks', 'checks'],
] as const

for (const protocol of ['smtp', 'lmtp'] satisfies Protocol[]) {
  const other = protocol === 'smtp' ? 'lmtp' : 'smtp'
  t.test(`${protocol}(8) opens its own tables, and not those of ${other}(8)`, (t) => {
    const open = (name: string): ReturnType<typeof openClientTables>['tables'] =>
      openClientTables(MainConfig.of({ ...OWN, [name]: 'regexp:{{/x/ y}}' }), protocol).tables
    for (const [name, table] of TABLES) {
      t.not(open(`${protocol}_${name}`)[table], undefined, name)
      t.equal(open(`${other}_${name}`)[table], undefined, `${other}_${name}`)
    }
    const hello = protocol === 'smtp' ? 'ehlo' : 'lhlo'
    const keywords = open(`${protocol}_discard_${hello}_keyword_address_maps`)
    t.not(keywords.findDiscardedKeywords, undefined)
    t.end()
  })
}
