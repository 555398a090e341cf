/**
 * smtpd-restrictions.test - each restriction by its name, in a recipient list, beside the real smtpd(8)
 */
import t from 'tap'
import { compareSessions, type SessionScript } from './smtpd-sessions.ts'

const HELLO = 'EHLO client.test'
const FROM = 'MAIL FROM:<a@client.test>'
const TO = 'RCPT TO:<joe@example.com>'
const MESSAGE = [HELLO, FROM, TO, 'DATA', '.']

const services: Record<string, Record<string, string>> = {}
const sessions: SessionScript[] = []

/** One service, one session. */
function list(
  title: string,
  overrides: Readonly<Record<string, string>>,
  ...script: string[]
): void {
  const service = `list${sessions.length}`
  services[service] = { ...overrides }
  sessions.push({ title, service, script })
}
const recipientList = (words: string, ...script: string[]): void => {
  list(words, { smtpd_recipient_restrictions: words }, ...(script.length > 0 ? script : MESSAGE))
}

for (const word of ['permit', 'reject', 'defer', 'defer_if_permit', 'defer_if_reject', 'nonsense'])
  recipientList(word)
recipientList('defer_if_reject, reject')
recipientList('warn_if_reject, reject')
recipientList('warn_if_reject reject, warn_if_reject reject_non_fqdn_sender, permit')
recipientList('reject, permit')
recipientList('reject_unknown, permit')
recipientList('check_recipient_access', ...MESSAGE)
recipientList('check_recipient_access fail:x, permit')
recipientList('inline:{joe@example.com=REJECT}')
recipientList('check_client_access inline:{ {localhost=REJECT local} }')
recipientList('check_client_access inline:{ {127.0.0.1=REJECT address} }')
recipientList('check_client_access inline:{ {127.0.0=REJECT net} }')
recipientList('check_client_access inline:{127=OK}, reject')
recipientList('check_client_access cidr:{{127.0.0.0/8 REJECT cidr}}')
recipientList('check_client_access regexp:{{/^local/ REJECT pattern}}')
recipientList('check_client_access static:REJECT')
recipientList('check_reverse_client_hostname_access inline:{ {localhost=REJECT reverse} }')
recipientList('check_helo_access inline:{ {client.test=REJECT helo} }')
recipientList('check_helo_access inline:{ {test=REJECT helo} }')
recipientList('check_helo_access inline:{ {.test=REJECT dotted} }, reject')
recipientList('check_sender_access inline:{ {a@client.test=REJECT sender} }')
recipientList('check_sender_access inline:{ {client.test=REJECT domain} }')
recipientList('check_sender_access inline:{ {a@=REJECT user} }')
recipientList(
  'check_sender_access inline:{ {<>=REJECT null} }',
  HELLO,
  'MAIL FROM:<>',
  TO,
  'RSET',
  'MAIL FROM:<A@CLIENT.test>',
  TO,
)
recipientList('check_sender_access regexp:{{/^a@/ 554 5.7.2 pattern}}')
recipientList('check_recipient_access inline:{ {joe@=REJECT user} }')
recipientList(
  'check_recipient_access inline:{ {example.com=REJECT domain} }',
  HELLO,
  FROM,
  TO,
  'RCPT TO:<joe+x@example.com>',
  'RCPT TO:<postmaster>',
  'RCPT TO:<joe@sub.example.com>',
)
recipientList(
  'check_recipient_access inline:{ {joe@example.com=REJECT a}, {joe+x@example.com=REJECT b} }',
  HELLO,
  FROM,
  TO,
  'RCPT TO:<joe+x@example.com>',
  'RCPT TO:<joe+y@example.com>',
)
recipientList('permit_mynetworks, reject')
recipientList('permit_inet_interfaces, reject')
recipientList('permit_sasl_authenticated, reject')
recipientList('permit_tls_clientcerts, reject')
recipientList('permit_auth_destination, reject', ...MESSAGE, FROM, 'RCPT TO:<x@other.example>')
recipientList(
  'reject_unauth_destination',
  HELLO,
  FROM,
  TO,
  'RCPT TO:<x@other.example>',
  'RCPT TO:<joe@alias.example>',
)
recipientList(
  'reject_unlisted_recipient, reject',
  HELLO,
  FROM,
  TO,
  'RCPT TO:<no@example.com>',
  'RCPT TO:<no@relay.example>',
  'RCPT TO:<no@virtual.example>',
  'RCPT TO:<no@alias.example>',
)
recipientList(
  'reject_unlisted_sender',
  HELLO,
  'MAIL FROM:<no@example.com>',
  TO,
  'RSET',
  'MAIL FROM:<no@relay.example>',
  TO,
  'RSET',
  'MAIL FROM:<no@alias.example>',
  TO,
  'RSET',
  'MAIL FROM:<joe@example.com>',
  TO,
  'RSET',
  'MAIL FROM:<>',
  TO,
)
recipientList(
  'reject_non_fqdn_recipient',
  HELLO,
  FROM,
  'RCPT TO:<joe>',
  'RCPT TO:<joe@host>',
  'RCPT TO:<postmaster>',
  'RCPT TO:<joe@[127.0.0.1]>',
)
recipientList(
  'reject_non_fqdn_sender',
  HELLO,
  'MAIL FROM:<a>',
  TO,
  'RSET',
  'MAIL FROM:<a@b>',
  TO,
  'RSET',
  'MAIL FROM:<a@[127.0.0.1]>',
  TO,
  'RSET',
  'MAIL FROM:<>',
  TO,
)
recipientList(
  'reject_invalid_helo_hostname',
  'HELO a',
  FROM,
  TO,
  'HELO [1.2.3.4]',
  FROM,
  TO,
  'HELO [1.2.3]',
  FROM,
  TO,
  'HELO a_b',
  FROM,
  TO,
  'HELO 1.2.3.4',
  FROM,
  TO,
  'HELO -a',
  FROM,
  TO,
  'HELO a..b',
  FROM,
  TO,
  'HELO [IPv6:::1]',
  FROM,
  TO,
  'HELO [x]',
  FROM,
  TO,
)
recipientList(
  'reject_non_fqdn_helo_hostname',
  'HELO a',
  FROM,
  TO,
  'HELO a.b',
  FROM,
  TO,
  'HELO [1.2.3.4]',
  FROM,
  TO,
  'HELO [1.2.3]',
  FROM,
  TO,
  'HELO 1.2.3.4',
  FROM,
  TO,
  'HELO a_b.c',
  FROM,
  TO,
  'HELO a.b.',
  FROM,
  TO,
)
recipientList(
  'reject_multi_recipient_bounce',
  HELLO,
  'MAIL FROM:<>',
  TO,
  'RCPT TO:<ann@example.com>',
  'DATA',
  '.',
)
recipientList('reject_plaintext_session')
recipientList('reject_unauth_pipelining')
recipientList('reject_sender_login_mismatch, reject_authenticated_sender_login_mismatch, permit')
recipientList('permit_mx_backup, reject', HELLO, FROM, TO)
recipientList('sleep 1, permit')
recipientList('check_policy_service unix:private/nothing, permit')
recipientList('strict', HELLO, FROM, TO)
recipientList('sometimes', HELLO, FROM, TO, 'RCPT TO:<ann@example.com>')
recipientList('reject_rbl_client, permit')
recipientList('strict, nonsense')

// a probe takes a moment
const verifying = { address_verify_poll_count: '9', address_verify_poll_delay: '1' }
const PROBED = ['joe@example.com', 'x@error.example', 'x@error2.example', 'x@retry.example']
const probedRecipients = [HELLO, FROM, ...PROBED.map((name) => `RCPT TO:<${name}>`)]
list(
  'reject_unverified_recipient',
  { ...verifying, smtpd_recipient_restrictions: 'reject_unverified_recipient' },
  ...probedRecipients,
)
list(
  'reject_unverified_recipient, codes and reasons',
  {
    ...verifying,
    smtpd_recipient_restrictions: 'reject_unverified_recipient',
    unverified_recipient_reject_code: '550',
    unverified_recipient_defer_code: '451',
    unverified_recipient_reject_reason: 'we do not like it',
  },
  ...probedRecipients,
)
list(
  'reject_unverified_recipient, deferred addresses accepted',
  {
    ...verifying,
    smtpd_recipient_restrictions: 'reject_unverified_recipient',
    unverified_recipient_defer_code: '250',
  },
  ...probedRecipients,
)
list(
  'reject_unverified_sender',
  { ...verifying, smtpd_sender_restrictions: 'reject_unverified_sender' },
  HELLO,
  ...PROBED.flatMap((name) => [`MAIL FROM:<${name}>`, TO, 'RSET']),
  'MAIL FROM:<>',
  TO,
)
list(
  'reject_unverified_sender, codes and reasons',
  {
    ...verifying,
    smtpd_sender_restrictions: 'reject_unverified_sender',
    unverified_sender_reject_code: '550',
    unverified_sender_defer_code: '451',
    unverified_sender_reject_reason: 'we do not like it',
    unverified_sender_tempfail_action: 'defer',
  },
  HELLO,
  ...PROBED.flatMap((name) => [`MAIL FROM:<${name}>`, TO, 'RSET']),
)

t.test('restrictions', async (t) => {
  await compareSessions(t, {
    main: {
      smtpd_restriction_classes: 'strict, sometimes',
      strict: 'reject_non_fqdn_sender, reject',
      sometimes: 'check_recipient_access inline:{joe@example.com=strict}',
      transport_maps:
        'inline:{ {error.example=error:no mail here}, {error2.example=error:5.1.2 no such host}, {retry.example=retry:later}, {errorlocal.example=error:4.2.1 wait} }',
      local_recipient_maps: '',
    },
    services,
    sessions,
  })
})
