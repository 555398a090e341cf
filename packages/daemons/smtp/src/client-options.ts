/**
 * client-options - the parameters of smtp(8) or lmtp(8), read once
 *
 * One program has two names; `smtp_x` becomes `lmtp_x` under the other one. What the LMTP client does not have
 * (fallback names, EHLO choices) has the value that makes it do nothing.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { SearchRules } from '@posthorn/dns/resolver'
import type { MimeScannerOptions } from '@posthorn/message/mime-scanner'
import type { OrderRules } from './address-order.ts'
import type { LabelRules } from './cache-labels.ts'
import { parseKnownPorts, type NexthopRules } from './nexthop.ts'

export type Protocol = 'smtp' | 'lmtp'

export interface StageTimeouts {
  connectMs: number
  helloMs: number
  xforwardMs: number
  mailMs: number
  rcptMs: number
  dataInitMs: number
  dataTransferMs: number
  dataDoneMs: number
  rsetMs: number
  quitMs: number
}

export interface SrvOptions {
  /** use_srv_lookup: names of services whose servers SRV records tell. */
  services: ReadonlySet<string>
  /** ignore_srv_lookup_error */
  ignoresErrors: boolean
  /** allow_srv_lookup_fallback */
  allowsFallback: boolean
}

export interface ClientOptions {
  protocol: Protocol
  myHostname: string
  heloName: string
  nexthop: NexthopRules
  fallbackRelays: readonly string[]
  /** The same as written. */
  fallbackRelayText: string
  /** The configured next-hop for all mail; a hard failure there is the configuration's fault. */
  relayhost: string
  /** Where mail goes that loops back to us; empty: back to its sender. */
  bestMxTransport: string
  /** For asking other delivery agents. */
  ipcTimeoutMs: number
  order: OrderRules
  labels: LabelRules
  timeouts: StageTimeouts
  /** Each limit is for a whole request and reply, not for each read or write. */
  hasRequestDeadline: boolean
  minDataRate: number

  dnsSupport: 'disabled' | 'enabled' | 'dnssec'
  usesDns: boolean
  usesNative: boolean
  /** smtp_dns_resolver_options; undefined: host names are complete. */
  search: SearchRules | undefined
  families: readonly ('ipv4' | 'ipv6')[]
  ignoresMxErrors: boolean
  defersWithoutMxAddress: boolean
  usesCanonicalNames: boolean
  /** enable_idna2003_compatibility */
  hasTransitionalNames: boolean
  srv: SrvOptions
  bindAddress: string
  bindAddress6: string
  enforcesBind: boolean
  /** tcp_windowsize; 0 = the system's choice. */
  windowBytes: number

  addressLimit: number
  sessionLimit: number
  cacheTtlSeconds: number
  reuseTimeLimitSeconds: number
  reuseCountLimit: number
  cachesOnDemand: boolean

  alwaysSendsEhlo: boolean
  neverSendsEhlo: boolean
  skips5xxGreeting: boolean
  skipsQuitReply: boolean
  sendsXforward: boolean
  sendsDummyAuth: boolean
  discardedKeywords: ReadonlySet<string>
  pixWorkarounds: ReadonlySet<string>
  pixThresholdMs: number
  pixDelayMs: number
  quotesEnvelope: boolean
  lineLengthLimit: number
  convertsToSevenBit: boolean
  /** Text goes in chunks (BDAT) to servers that take them. */
  sendsChunks: boolean
  probeTarget: 'rcpt' | 'data'
  replyLineLimit: number
  allowsUtf8: boolean
  hasHelpfulWarnings: boolean
  mime: MimeScannerOptions
  /** After so long in the queue mail goes in plaintext where TLS is optional and fails. */
  plainRetryMs: number
  /** smtp_log_tls_feature_status */
  logsTlsStatus: boolean
  /** tls_required_enable: `TLS-Required: No` counts. */
  honorsTlsRequired: boolean
  /** smtp_tls_note_starttls_offer */
  notesStartTls: boolean
}

function dnsSupport(config: MainConfig, name: Protocol): ClientOptions['dnsSupport'] {
  const level = config.keyword(`${name}_dns_support_level`)
  if (level !== '') return level
  return config.boolean('disable_dns_lookups') ? 'disabled' : 'enabled'
}

function searchRules(config: MainConfig, name: Protocol): SearchRules | undefined {
  const words = config.flags(`${name}_dns_resolver_options`)
  if (words.size === 0) return undefined
  return { defaultNames: words.has('res_defnames'), searchList: words.has('res_dnsrch') }
}

/** @throws {ConfigError} a value that makes no sense */
export function readClientOptions(
  config: MainConfig,
  name: Protocol,
  serviceName: string,
): ClientOptions {
  const isSmtp = name === 'smtp'
  const ms = (seconds: number): number => seconds * 1000
  const support = dnsSupport(config, name)
  const hostLookup = config.flags(`${name}_host_lookup`)
  const protocols = config.flags('inet_protocols')
  const all = protocols.has('all')
  const hasPasswordMaps = config.text(`${name}_sasl_password_maps`) !== ''
  const families: ClientOptions['families'] = [
    ...(all || protocols.has('ipv4') ? (['ipv4'] as const) : []),
    ...(all || protocols.has('ipv6') ? (['ipv6'] as const) : []),
  ]
  const addressLimit = config.integer(`${name}_mx_address_limit`)
  return {
    protocol: name,
    myHostname: config.text('myhostname'),
    heloName: config.text(isSmtp ? 'smtp_helo_name' : 'lmtp_lhlo_name'),
    nexthop: {
      defaultPort: config.text(`${name}_tcp_port`),
      knownPorts: parseKnownPorts(config.text('known_tcp_ports').split(/,/)),
      allowsUtf8: config.boolean('smtputf8_enable'),
    },
    fallbackRelayText: config.text(`${name}_fallback_relay`),
    fallbackRelays: config.list(`${name}_fallback_relay`),
    relayhost: config.text('relayhost'),
    bestMxTransport: isSmtp ? config.text('best_mx_transport') : '',
    ipcTimeoutMs: ms(config.seconds('ipc_timeout')),
    order: {
      isRandom: config.boolean(`${name}_randomize_addresses`),
      preferredFamily: config.keyword(`${name}_address_preference`) || 'any',
      isBalanced: config.boolean(`${name}_balance_inet_protocols`),
      addressLimit,
    },
    labels: {
      service: serviceName,
      hasPasswordMaps,
      dependsOnSender: hasPasswordMaps && config.boolean(`${name}_sender_dependent_authentication`),
    },
    timeouts: {
      connectMs: ms(config.seconds(`${name}_connect_timeout`)),
      helloMs: ms(config.seconds(isSmtp ? 'smtp_helo_timeout' : 'lmtp_lhlo_timeout')),
      xforwardMs: ms(config.seconds(`${name}_xforward_timeout`)),
      mailMs: ms(config.seconds(`${name}_mail_timeout`)),
      rcptMs: ms(config.seconds(`${name}_rcpt_timeout`)),
      dataInitMs: ms(config.seconds(`${name}_data_init_timeout`)),
      dataTransferMs: ms(config.seconds(`${name}_data_xfer_timeout`)),
      dataDoneMs: ms(config.seconds(`${name}_data_done_timeout`)),
      rsetMs: ms(config.seconds(`${name}_rset_timeout`)),
      quitMs: ms(config.seconds(`${name}_quit_timeout`)),
    },
    hasRequestDeadline: config.boolean(`${name}_per_request_deadline`),
    minDataRate: config.integer(`${name}_min_data_rate`),

    dnsSupport: support,
    usesDns: support !== 'disabled' && hostLookup.has('dns'),
    usesNative: support === 'disabled' || hostLookup.has('native'),
    search: searchRules(config, name),
    families,
    ignoresMxErrors: config.boolean('ignore_mx_lookup_error'),
    defersWithoutMxAddress: config.boolean(`${name}_defer_if_no_mx_address_found`),
    hasTransitionalNames: config.boolean('enable_idna2003_compatibility'),
    srv: {
      services: new Set(config.list('use_srv_lookup')),
      ignoresErrors: config.boolean('ignore_srv_lookup_error'),
      allowsFallback: config.boolean('allow_srv_lookup_fallback'),
    },
    usesCanonicalNames: config.boolean(`${name}_cname_overrides_servername`),
    bindAddress: config.text(`${name}_bind_address`),
    bindAddress6: config.text(`${name}_bind_address6`),
    windowBytes: config.integer('tcp_windowsize'),
    enforcesBind: config.boolean(`${name}_bind_address_enforce`),

    addressLimit,
    sessionLimit: config.integer(`${name}_mx_session_limit`),
    cacheTtlSeconds: config.seconds(`${name}_connection_cache_time_limit`),
    reuseTimeLimitSeconds: config.seconds(`${name}_connection_reuse_time_limit`),
    reuseCountLimit: config.integer(`${name}_connection_reuse_count_limit`),
    cachesOnDemand: config.boolean(`${name}_connection_cache_on_demand`),

    alwaysSendsEhlo: isSmtp && config.boolean('smtp_always_send_ehlo'),
    neverSendsEhlo: isSmtp && config.boolean('smtp_never_send_ehlo'),
    skips5xxGreeting: config.boolean(`${name}_skip_5xx_greeting`),
    skipsQuitReply: config.boolean(`${name}_skip_quit_response`),
    sendsXforward: config.boolean(`${name}_send_xforward_command`),
    sendsDummyAuth:
      config.boolean(`${name}_sasl_auth_enable`) && config.boolean(`${name}_send_dummy_mail_auth`),
    discardedKeywords: config.flags(
      isSmtp ? 'smtp_discard_ehlo_keywords' : 'lmtp_discard_lhlo_keywords',
    ),
    pixWorkarounds: config.flags(`${name}_pix_workarounds`),
    pixThresholdMs: ms(config.seconds(`${name}_pix_workaround_threshold_time`)),
    pixDelayMs: ms(config.seconds(`${name}_pix_workaround_delay_time`)),
    quotesEnvelope: config.boolean(`${name}_quote_rfc821_envelope`),
    lineLengthLimit: config.integer(`${name}_line_length_limit`),
    convertsToSevenBit: !config.boolean('disable_mime_output_conversion'),
    sendsChunks: config.boolean(`${name}_chunking_enable`),
    probeTarget: config.keyword(`${name}_address_verify_target`) || 'rcpt',
    replyLineLimit: config.integer('line_length_limit'),
    allowsUtf8: config.boolean('smtputf8_enable'),
    hasHelpfulWarnings: config.boolean('helpful_warnings'),
    mime: {
      nestingLimit: config.integer('mime_nesting_limit'),
      boundaryLimit: config.integer('mime_boundary_length_limit'),
      headerLimit: config.integer('header_size_limit'),
    },
    plainRetryMs: ms(config.seconds('minimal_backoff_time')),
    logsTlsStatus: config.boolean(`${name}_log_tls_feature_status`),
    honorsTlsRequired: config.boolean('tls_required_enable'),
    notesStartTls: config.boolean(`${name}_tls_note_starttls_offer`),
  }
}
