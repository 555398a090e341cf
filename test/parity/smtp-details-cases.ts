/**
 * smtp-details-cases - small print of smtp(8) and lmtp(8), one parameter, one effect, for smtp.test: names, addresses, dialogue
 */
import type { Scenario } from './smtp-scenario.ts'

export type Replies = NonNullable<NonNullable<Scenario['servers']>[string]['replies']>

export function one(
  settings: Record<string, string>,
  more: Partial<Scenario> = {},
  replies: Replies = {},
  extensions: string[] = ['PIPELINING', '8BITMIME'],
): Scenario {
  return { servers: { $1: { replies, extensions } }, nexthop: '[$1]', settings, ...more }
}

export function lmtp(
  settings: Record<string, string>,
  more: Partial<Scenario> = {},
  replies: Replies = {},
  extensions: string[] = ['PIPELINING', '8BITMIME'],
): Scenario {
  const servers = { $1: { isLmtp: true, replies, extensions } }
  return { servers, program: 'lmtp', nexthop: '[$1]', settings, ...more }
}

/** One process serves many: what ends a process of Postfix ends one conversation of ours. */
const goesOn = {
  allow: (line: string): string => line.replace('fatal:', 'warning:'),
}

export const nameDetails: Record<string, Scenario> = {
  'res_defnames: a name without a dot': one(
    { smtp_dns_resolver_options: 'res_defnames' },
    { names: { 'hostk.search.test': { A: ['$1'] } }, nexthop: '[hostk]' },
  ),
  'res_defnames: a name with a dot': one(
    { smtp_dns_resolver_options: 'res_defnames' },
    { names: { 'x.$d.search.test': { A: ['$1'] } }, nexthop: '[x.$d]' },
  ),
  'res_dnsrch: a name without a dot': one(
    { smtp_dns_resolver_options: 'res_dnsrch' },
    { names: { 'hostl.search.test': { A: ['$1'] } }, nexthop: '[hostl]' },
  ),
  'both: a name without a dot': one(
    { smtp_dns_resolver_options: 'res_defnames res_dnsrch' },
    { names: { 'hostm.search.test': { A: ['$1'] } }, nexthop: '[hostm]' },
  ),
  'transitional IDN': one(
    { enable_idna2003_compatibility: 'yes' },
    { names: { 'strasse.$d': { A: ['$1'] } }, nexthop: 'stra\xc3\x9fe.$d' },
  ),
  'IDN that is not transitional': one(
    { enable_idna2003_compatibility: 'no' },
    { names: { 'xn--strae-oqa.$d': { A: ['$1'] } }, nexthop: 'stra\xc3\x9fe.$d' },
  ),
  'native: the name has no address': one(
    { smtp_host_lookup: 'native' },
    { names: { 'x.$d': { MX: [[10, 'y.$d']] } }, nexthop: '[x.$d]' },
  ),
  'native: no such name': one({ smtp_host_lookup: 'native' }, { nexthop: '[x.$d]' }),
  'native: the name server fails': one(
    { smtp_host_lookup: 'native' },
    { names: { 'x.$d': 'servfail' }, nexthop: '[x.$d]' },
  ),
  'native: refused': one(
    { smtp_host_lookup: 'native' },
    { names: { 'x.$d': 'refused' }, nexthop: '[x.$d]' },
  ),
  'bind address: missing bracket': one({ smtp_bind_address: '[127.0.0.1' }, goesOn),
  'bind address: a name': one({ smtp_bind_address: 'host.example' }, goesOn),
  'bind address: IPv6': one({ smtp_bind_address: '::1' }),
  'bind address: IPv6 in brackets': one({ smtp_bind_address: '[ipv6:::1]' }, goesOn),
  'bind address: IPv6, enforced': one({
    smtp_bind_address: '::1',
    smtp_bind_address_enforce: 'yes',
  }),
  'bind address: brackets': one({ smtp_bind_address: '[127.0.0.1]' }),
  'LMTP: a list with inet: once': lmtp(
    {},
    {
      servers: { $1: { isLmtp: true, replies: { LHLO: '421 busy' } }, $2: { isLmtp: true } },
      nexthop: 'inet:[$1], [$2]',
    },
  ),
  'LMTP: fallback relays and a socket': lmtp(
    { lmtp_fallback_relay: 'a.test,  b.test' },
    { nexthop: 'unix:$dir/none' },
  ),
  'LMTP: MX hosts are not looked for': lmtp(
    { lmtp_defer_if_no_mx_address_found: 'yes' },
    { names: { $d: { MX: [[10, 'no.$d']] } }, nexthop: '$d' },
  ),
  'no recipients': one({}, { recipients: [] }),
}

export const addressDetails: Record<string, Scenario> = {
  'disable_dns_lookups: no MX': one(
    { disable_dns_lookups: 'yes' },
    { names: { $d: { A: ['$1'], MX: [[10, 'none.$d']] } }, nexthop: '$d' },
  ),
  'inet_protocols: IPv6 only': one({ inet_protocols: 'ipv6', inet_interfaces: '::1' }),
  'bind address 6': one(
    { smtp_bind_address6: '[::1]' },
    { servers: { '::1': { address: '::1', port: 31 } }, nexthop: '[ipv6:::1]:31' },
  ),
  'bind address 6: not ours': one(
    { smtp_bind_address6: '2001:db8::77' },
    { servers: { '::1': { address: '::1', port: 32 } }, nexthop: '[ipv6:::1]:32' },
  ),
  smtp_tcp_port: one({ smtp_tcp_port: '26' }, { servers: { $1: { port: 26 } } }),
  lmtp_tcp_port: lmtp(
    { lmtp_tcp_port: 'submission' },
    { servers: { $1: { port: 587, isLmtp: true } } },
  ),
}
const pix = { replies: { greeting: '220 **** 2 ****' }, extensions: ['PIPELINING'] }
const longAgo = { ageMs: 3_600_000 }
/** Postfix says more of itself; what the peers say is the same. */
const onlyDialogue = {
  allow: (line: string): string | undefined =>
    /(?:^| )[<>] |warning|to=</.test(line) ? line : undefined,
}

function debugged(list: string, level = '2'): Record<string, Scenario> {
  return {
    [`debug_peer_list = ${list}, level ${level}`]: one(
      { debug_peer_list: list, debug_peer_level: level },
      onlyDialogue,
    ),
  }
}

export const dialogueDetails: Record<string, Scenario> = {
  'LHLO keywords that count for nothing': lmtp(
    { lmtp_discard_lhlo_keywords: 'PIPELINING, DSN' },
    {},
    {},
    ['PIPELINING', 'DSN', 'SIZE 9999'],
  ),
  'LHLO keywords, by address': lmtp(
    { lmtp_discard_lhlo_keyword_address_maps: 'inline:{$1=size}' },
    {},
    {},
    ['PIPELINING', 'SIZE 9999'],
  ),
  lmtp_lhlo_name: lmtp({ lmtp_lhlo_name: 'other.test' }),
  'LHLO: silence': lmtp({ lmtp_lhlo_timeout: '1s' }, {}, { LHLO: {} }),
  'LMTP: XFORWARD': lmtp(
    { lmtp_send_xforward_command: 'yes' },
    { request: { clientName: 'c.test', clientAddress: '192.0.2.9', clientHelo: 'h' } },
    {},
    ['PIPELINING', 'XFORWARD NAME ADDR HELO'],
  ),
  'LMTP: a probe up to DATA': lmtp(
    { lmtp_address_verify_target: 'data' },
    { request: { flags: 256 } },
  ),
  'LMTP: reply filter': lmtp(
    { lmtp_reply_filter: 'regexp:{{/^250 .*RCPT/ 450 later}}' },
    {},
    { RCPT: '250 RCPT ok' },
  ),
  'LMTP: QUIT is answered late': lmtp({}, {}, { QUIT: { text: '221 bye', delayMs: 300 } }),
  'LMTP: one end-of-data reply comes, the other does not': lmtp(
    { lmtp_data_done_timeout: '1s' },
    { recipients: ['one@example.test', 'two@example.test'] },
    { '.': ['250 2.0.0 ok', {}] },
  ),
  'LMTP: status filter': lmtp({
    lmtp_delivery_status_filter: 'regexp:{{/^2[.]/ 2.7.7 so be it}}',
  }),
  'LMTP: greeting 5xx': lmtp({ lmtp_skip_5xx_greeting: 'no' }, {}, { greeting: '554 no' }),
  'PIX: an old message, the dot comes late': one(
    { smtp_pix_workaround_delay_time: '1s' },
    { servers: { $1: pix }, ...longAgo },
  ),
  'PIX: younger than the threshold': one(
    { smtp_pix_workaround_threshold_time: '1h' },
    { servers: { $1: pix } },
  ),
  'PIX: no threshold': one(
    { smtp_pix_workaround_threshold_time: '0s', smtp_pix_workarounds: 'disable_esmtp' },
    { servers: { $1: pix } },
  ),
  'PIX: no workarounds': one({ smtp_pix_workarounds: '' }, { servers: { $1: pix }, ...longAgo }),
  'smtputf8_enable = no: a reply': one(
    { smtputf8_enable: 'no' },
    {},
    { RCPT: '550 5.1.1 n\xc3\xb6' },
  ),
  'smtputf8_enable = no: a next-hop': one(
    { smtputf8_enable: 'no' },
    { nexthop: 'b\xc3\xbccher.$d', allow: (line) => line.replace(/^.*: (valid .*): .*/, '$1') },
  ),
  'smtp_per_record_deadline: octet by octet': one(
    { smtp_per_record_deadline: 'yes', smtp_mail_timeout: '1s' },
    {},
    { MAIL: { text: '250 2.1.0 slow', trickleMs: 150 } },
  ),
  'without a deadline: octet by octet': one(
    { smtp_mail_timeout: '1s' },
    {},
    { MAIL: { text: '250 2.1.0 slow', trickleMs: 100 } },
  ),
  'info_log_address_format: internal': one(
    { info_log_address_format: 'internal' },
    { recipients: ['a b@example.test'] },
  ),
  'the option -v': one({}, { args: '-v', ...onlyDialogue }),
  ...debugged('$1'),
  ...debugged('$1', '1'),
  ...debugged('$1', '3'),
  ...debugged('127.0.0.0/8'),
  ...debugged('!$1'),
  ...debugged('fail:broken'),
}
