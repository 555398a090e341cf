/**
 * smtpd-dns.test - restrictions that ask DNS, beside the real smtpd(8), both with the test's name server
 */
import './private-network.ts'
import t from 'tap'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { compareSessions, type SessionScript } from './smtpd-sessions.ts'

const HELLO = 'EHLO client.test'
const FROM = 'MAIL FROM:<a@client.test>'
const TO = 'RCPT TO:<joe@example.com>'
const CLIENT = 'XCLIENT NAME=c.names.test ADDR=192.0.2.66'

const NAMES = {
  'client.test': { A: ['192.0.2.1'] },
  'mx-only.test': { MX: [[10, 'mx1.names.test'] as const] },
  'a-only.test': { A: ['192.0.2.7'] },
  'aaaa-only.test': { AAAA: ['2001:db8::7'] },
  'txt-only.test': { TXT: ['x'] },
  'nullmx.test': { MX: [[0, '.'] as const] },
  'slow.test': 'servfail' as const,
  'alias.test': { CNAME: 'mx-only.test' },
  'dangling.test': { MX: [[10, 'no.names.test'] as const] },
  'zone.test': { NS: ['ns1.names.test', 'ns2.names.test'], MX: [[10, 'mx1.names.test'] as const] },
  'sub.zone.test': { A: ['192.0.2.8'] },
  'host.sub.zone.test': { A: ['192.0.2.9'] },
  'mx1.names.test': { A: ['192.0.2.21'] },
  'mx2.names.test': { A: ['127.0.0.1'] },
  'ns1.names.test': { A: ['192.0.2.31'] },
  'ns2.names.test': { A: ['192.0.2.32'] },
  'c.names.test': { A: ['192.0.2.66'], MX: [[10, 'mx1.names.test'] as const] },
  'names.test': { NS: ['ns1.names.test'] },
  'backup.test': { MX: [[10, 'mx1.names.test'] as const, [20, 'mx2.names.test'] as const] },
  'primary.test': { MX: [[20, 'mx1.names.test'] as const, [10, 'mx2.names.test'] as const] },
  '66.2.0.192.list.test': { A: ['127.0.0.2'], TXT: ['bad client'] },
  '67.2.0.192.list.test': { A: ['127.0.0.4'] },
  '68.2.0.192.list.test': 'servfail' as const,
  'c.names.test.rhs.test': { A: ['127.0.0.2'], TXT: ['bad name'] },
  'bad.test.rhs.test': { A: ['127.0.0.3'], TXT: ['bad domain'] },
  'helo.test.rhs.test': { A: ['127.0.0.3'] },
}

const services: Record<string, Record<string, string>> = {}
const sessions: SessionScript[] = []
function list(
  words: string,
  script: readonly string[],
  more: Readonly<Record<string, string>> = {},
): void {
  const service = `s${sessions.length}`
  services[service] = {
    smtpd_recipient_restrictions: words,
    smtpd_authorized_xclient_hosts: '127.0.0.1, 192.0.2.0/24',
    smtpd_hard_error_limit: '100',
    ...more,
  }
  sessions.push({ title: [words, ...Object.values(more)].join('; '), service, script })
}

const DOMAINS = [
  'mx-only',
  'a-only',
  'aaaa-only',
  'txt-only',
  'nullmx',
  'slow',
  'alias',
  'dangling',
  'no',
  'zone',
  'sub.zone',
  'host.sub.zone',
]
const senders = [HELLO, ...DOMAINS.flatMap((name) => [`MAIL FROM:<a@${name}.test>`, TO, 'RSET'])]
/** What does not answer takes its time. */
const quick = DOMAINS.filter((name) => name !== 'slow')
const quickSenders = [HELLO, ...quick.flatMap((name) => [`MAIL FROM:<a@${name}.test>`, TO, 'RSET'])]
const recipients = [HELLO, FROM, ...quick.map((name) => `RCPT TO:<a@${name}.test>`)]
const helos = quick.flatMap((name) => [`HELO ${name}.test`, FROM, TO])
const clients = [
  CLIENT,
  HELLO,
  FROM,
  TO,
  'RSET',
  'XCLIENT ADDR=192.0.2.67',
  HELLO,
  FROM,
  TO,
  'RSET',
  'XCLIENT ADDR=192.0.2.68',
  HELLO,
  FROM,
  TO,
]
const open = { smtpd_relay_restrictions: 'check_client_access static:OK, reject' }

list('reject_unknown_sender_domain', senders)
list('reject_unknown_sender_domain', senders, {
  unknown_address_tempfail_action: 'defer',
  unknown_address_reject_code: '550',
})
list('reject_unknown_sender_domain', [
  HELLO,
  'MAIL FROM:<>',
  TO,
  'RSET',
  'MAIL FROM:<a@[192.0.2.1]>',
  TO,
  'RSET',
  'MAIL FROM:<a>',
  TO,
  'RSET',
  'MAIL FROM:<no@example.com>',
  TO,
])
list('reject_unknown_recipient_domain', recipients, open)
list('reject_unknown_helo_hostname', [
  ...helos,
  'HELO [192.0.2.1]',
  FROM,
  TO,
  'HELO bad_name',
  FROM,
  TO,
  'HELO 1.2.3.4',
  FROM,
  TO,
])
list('reject_unknown_helo_hostname', helos, {
  unknown_helo_hostname_tempfail_action: 'defer',
  unknown_hostname_reject_code: '551',
})
list('reject_rbl_client list.test', clients)
list('reject_rbl_client list.test=127.0.0.4', clients)
list('reject_rbl_client list.test=127.0.0.[2;3]', clients)
list('reject_rbl_client list.test=127.0.0.[3..9]', clients)
list('reject_rbl_client list.test', clients, {
  maps_rbl_reject_code: '451',
  default_rbl_reply:
    '$$rbl_code 4.1.1 no: $$rbl_class|$$rbl_what|$$rbl_domain|$$rbl_reason|$$client|$$helo_name|$$sender|$$recipient|${rbl_reason?{yes}:{no}}'.replaceAll(
      '$$',
      '$',
    ),
})
list('reject_rbl_client list.test', clients, {
  rbl_reply_maps: 'inline:{ {list.test=$$rbl_code mapped $$rbl_what} }',
})
list('permit_dnswl_client list.test, reject', clients, {
  smtpd_log_access_permit_actions: 'static:all',
})
list('permit_dnswl_client list.test=127.0.0.4, reject', clients)
list('warn_if_reject reject_rbl_client list.test', clients)
list('reject_rhsbl_client rhs.test', clients)
list('reject_rhsbl_reverse_client rhs.test', clients)
list('reject_rhsbl_sender rhs.test', [
  HELLO,
  'MAIL FROM:<a@bad.test>',
  TO,
  'RSET',
  'MAIL FROM:<>',
  TO,
  'RSET',
  'MAIL FROM:<a@good.test>',
  TO,
])
list('reject_rhsbl_recipient rhs.test', [HELLO, FROM, 'RCPT TO:<a@bad.test>', TO], open)
list('reject_rhsbl_helo rhs.test', ['HELO helo.test', FROM, TO, 'HELO [192.0.2.1]', FROM, TO])
list('permit_rhswl_client rhs.test, reject', clients)
list('check_sender_mx_access inline:{ {mx1.names.test=REJECT mx} }', senders)
list(
  'check_sender_mx_access inline:{ {192.0.2.21=REJECT mx address}, {192.0.2.7=REJECT a}, {2001:db8::7=REJECT aaaa} }',
  senders,
)
list('check_sender_mx_access inline:{ {names.test=550 5.7.2 mx parent} }', senders)
list('check_sender_mx_access static:OK', [
  HELLO,
  'MAIL FROM:<a@mx-only.test>',
  TO,
  'RSET',
  'MAIL FROM:<>',
  TO,
])
list('check_sender_mx_access static:DUNNO, reject', [HELLO, 'MAIL FROM:<a@mx-only.test>', TO])
list('check_sender_mx_access inline:{192.0.2=REJECT}', [
  HELLO,
  'MAIL FROM:<a@[192.0.2.1]>',
  TO,
  'RSET',
  'MAIL FROM:<a>',
  TO,
])
list('check_sender_ns_access inline:{ {ns2.names.test=REJECT ns} }', quickSenders)
list('check_sender_ns_access inline:{ {192.0.2.31=REJECT ns address} }', quickSenders)
list(
  'check_sender_a_access inline:{ {192.0.2.7=REJECT a}, {192.0.2.9=REJECT b}, {2001:db8=REJECT c} }',
  senders,
)
list('check_recipient_mx_access inline:{ {192.0.2.21=REJECT mx} }', recipients, open)
list('check_recipient_ns_access inline:{ {192.0.2.31=REJECT ns} }', recipients, open)
list('check_recipient_a_access inline:{ {192.0.2.7=REJECT a} }', recipients, open)
list('check_helo_mx_access inline:{ {192.0.2.21=REJECT mx} }', helos)
list('check_helo_ns_access inline:{ {192.0.2.31=REJECT ns} }', helos)
list('check_helo_a_access inline:{ {192.0.2.7=REJECT a} }', [
  ...helos,
  'HELO [192.0.2.7]',
  FROM,
  TO,
])
list('check_client_mx_access inline:{ {192.0.2.21=REJECT mx} }', clients)
list('check_client_ns_access inline:{ {192.0.2.31=REJECT ns} }', clients)
list('check_client_a_access inline:{ {192.0.2.66=REJECT a} }', clients)
list('check_reverse_client_hostname_mx_access inline:{ {192.0.2.21=REJECT mx} }', clients)
list('check_reverse_client_hostname_ns_access inline:{ {192.0.2.31=REJECT ns} }', clients)
list('check_reverse_client_hostname_a_access inline:{ {192.0.2.66=REJECT a} }', clients)
const backups = [
  HELLO,
  FROM,
  ...['backup', 'primary', 'mx-only', 'a-only', 'slow', 'no', 'nullmx'].map(
    (name) => `RCPT TO:<a@${name}.test>`,
  ),
  'RCPT TO:<a%b@backup.test>',
  'RCPT TO:<no@example.com>',
]
list('permit_mx_backup, reject', backups, {
  smtpd_relay_restrictions: 'check_client_access static:OK, reject',
})
list('permit_mx_backup, reject', backups, {
  smtpd_relay_restrictions: 'check_client_access static:OK, reject',
  permit_mx_backup_networks: '192.0.2.21',
})
list('permit_mx_backup, reject', backups, {
  smtpd_relay_restrictions: 'check_client_access static:OK, reject',
  permit_mx_backup_networks: '192.0.2.99',
})
list('permit', backups, { smtpd_relay_restrictions: 'permit_mx_backup, reject_unauth_destination' })

t.test('restrictions that ask DNS', async (t) => {
  const dns = await FakeDns.start(NAMES, { port: 53 })
  t.teardown(async () => {
    await dns.close()
  })
  await compareSessions(t, {
    services,
    sessions,
    // Node has one code for a name that is not there and one that has no address
    alike: [[/No address associated with hostname/g, 'Name or service not known']],
  })
})
