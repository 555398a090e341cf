/**
 * smtpd-access.test - each access list at its command, relay control, and codes of refusals, beside the real smtpd(8)
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

list(
  'smtpd_client_restrictions',
  { smtpd_client_restrictions: 'reject' },
  ...MESSAGE,
  'VRFY joe@example.com',
  'ETRN relay.example',
)
list(
  'smtpd_helo_restrictions',
  { smtpd_helo_restrictions: 'reject' },
  FROM,
  TO,
  'RSET',
  ...MESSAGE,
  'ETRN relay.example',
)
list(
  'smtpd_sender_restrictions',
  { smtpd_sender_restrictions: 'reject' },
  ...MESSAGE,
  'RSET',
  'MAIL FROM:<>',
  TO,
  'VRFY joe@example.com',
)
list(
  'smtpd_relay_restrictions',
  { smtpd_relay_restrictions: 'reject' },
  ...MESSAGE,
  'RCPT TO:<postmaster>',
)
list(
  'smtpd_relay_restrictions first',
  { smtpd_relay_restrictions: 'permit', smtpd_recipient_restrictions: 'reject' },
  ...MESSAGE,
)
list(
  'smtpd_relay_restrictions last',
  {
    smtpd_relay_before_recipient_restrictions: 'no',
    smtpd_relay_restrictions: 'defer',
    smtpd_recipient_restrictions: 'reject',
  },
  ...MESSAGE,
)
list('smtpd_data_restrictions', { smtpd_data_restrictions: 'reject' }, ...MESSAGE, 'NOOP')
list(
  'smtpd_data_restrictions, BDAT',
  { smtpd_data_restrictions: 'reject' },
  HELLO,
  FROM,
  TO,
  'BDAT 0 LAST',
  'NOOP',
)
list(
  'smtpd_data_restrictions with a recipient',
  { smtpd_data_restrictions: 'check_recipient_access static:{REJECT}' },
  ...MESSAGE,
  'RSET',
  FROM,
  TO,
  'RCPT TO:<ann@example.com>',
  'DATA',
  '.',
)
list(
  'smtpd_end_of_data_restrictions',
  { smtpd_end_of_data_restrictions: 'reject' },
  ...MESSAGE,
  'NOOP',
)
list('smtpd_etrn_restrictions', { smtpd_etrn_restrictions: 'reject' }, HELLO, 'ETRN relay.example')
list(
  'smtpd_etrn_restrictions with a table',
  {
    smtpd_etrn_restrictions: 'check_etrn_access inline:{ {relay.example=REJECT, example.com=OK} }',
  },
  HELLO,
  'ETRN relay.example',
  'ETRN sub.relay.example',
  'ETRN example.com',
)
const early = { smtpd_delay_reject: 'no' }
list(
  'at once: client',
  { ...early, smtpd_client_restrictions: 'reject' },
  HELLO,
  'NOOP',
  'FOO',
  FROM,
  'QUIT',
)
list('at once: client 421', {
  ...early,
  smtpd_client_restrictions: 'check_client_access static:{421 4.7.0 go}',
})
list('at once: client 521', {
  ...early,
  smtpd_client_restrictions: 'check_client_access static:{521 go}',
})
list('at once: helo', { ...early, smtpd_helo_restrictions: 'reject' }, HELLO, 'HELO x', FROM, TO)
list(
  'at once: sender',
  { ...early, smtpd_sender_restrictions: 'reject' },
  HELLO,
  FROM,
  TO,
  'MAIL FROM:<>',
)
list(
  'at once: helo, deferred permission',
  { ...early, smtpd_helo_restrictions: 'defer_if_permit' },
  HELLO,
  FROM,
  TO,
)
list(
  'at once: sender list that asks about the recipient',
  {
    ...early,
    smtpd_sender_restrictions:
      'check_recipient_access static:REJECT, reject_unlisted_recipient, permit',
  },
  ...MESSAGE,
)
list(
  'a client list that asks about the sender',
  { smtpd_client_restrictions: 'check_sender_access static:REJECT' },
  ...MESSAGE,
)
list(
  'permission early does not help later',
  { smtpd_client_restrictions: 'permit', smtpd_recipient_restrictions: 'reject' },
  ...MESSAGE,
)
list(
  'defer_if_permit early',
  { smtpd_client_restrictions: 'defer_if_permit, permit' },
  ...MESSAGE,
  'RCPT TO:<x@other.example>',
)
list(
  'defer_if_reject early',
  { smtpd_client_restrictions: 'defer_if_reject, permit' },
  ...MESSAGE,
  'RCPT TO:<x@other.example>',
)
list(
  'defer_if_permit and a later permission',
  { smtpd_sender_restrictions: 'defer_if_permit', smtpd_recipient_restrictions: 'permit' },
  ...MESSAGE,
)
list(
  'access codes',
  {
    access_map_reject_code: '521',
    access_map_defer_code: '421',
    smtpd_recipient_restrictions:
      'check_recipient_access inline:{ {joe@example.com=DEFER}, {ann@example.com=REJECT}}',
  },
  HELLO,
  FROM,
  'RCPT TO:<ann@example.com>',
  TO,
)
list(
  'codes of refusals',
  {
    reject_code: '555',
    defer_code: '444',
    invalid_hostname_reject_code: '551',
    non_fqdn_reject_code: '552',
    relay_domains_reject_code: '553',
    unknown_local_recipient_reject_code: '450',
    unknown_virtual_alias_reject_code: '451',
    unknown_virtual_mailbox_reject_code: '452',
    unknown_relay_recipient_reject_code: '453',
    smtpd_recipient_restrictions: 'reject_unauth_destination, reject_non_fqdn_recipient',
    smtpd_relay_restrictions: '',
    smtpd_hard_error_limit: '100',
    multi_recipient_bounce_reject_code: '557',
    plaintext_reject_code: '558',
  },
  HELLO,
  FROM,
  'RCPT TO:<no@example.com>',
  'RCPT TO:<no@alias.example>',
  'RCPT TO:<no@virtual.example>',
  'RCPT TO:<no@relay.example>',
  'RCPT TO:<x@other.example>',
  'RCPT TO:<x>',
)
list('reject_code', { reject_code: '555', smtpd_recipient_restrictions: 'reject' }, HELLO, FROM, TO)
list('defer_code', { defer_code: '444', smtpd_recipient_restrictions: 'defer' }, HELLO, FROM, TO)
list(
  'table names not shown',
  { show_user_unknown_table_name: 'no' },
  HELLO,
  FROM,
  'RCPT TO:<no@example.com>',
  'RCPT TO:<no@relay.example>',
)
list(
  'unlisted recipients accepted',
  { smtpd_reject_unlisted_recipient: 'no' },
  HELLO,
  FROM,
  'RCPT TO:<no@example.com>',
  'RCPT TO:<no@relay.example>',
)
list(
  'no_unknown_recipient_checks',
  { receive_override_options: 'no_unknown_recipient_checks' },
  HELLO,
  FROM,
  'RCPT TO:<no@example.com>',
)
list(
  'unlisted senders refused',
  { smtpd_reject_unlisted_sender: 'yes' },
  HELLO,
  'MAIL FROM:<no@example.com>',
  TO,
  'RSET',
  'MAIL FROM:<no@relay.example>',
  TO,
  'RSET',
  'MAIL FROM:<joe@example.com>',
  TO,
  'RSET',
  'MAIL FROM:<>',
  TO,
  'RSET',
  'MAIL FROM:<x@other.example>',
  TO,
)
list(
  'unlisted senders refused at once',
  { smtpd_reject_unlisted_sender: 'yes', ...early },
  HELLO,
  'MAIL FROM:<no@example.com>',
  FROM,
)
list(
  'mynetworks may relay',
  { mynetworks: '127.0.0.0/8' },
  HELLO,
  FROM,
  'RCPT TO:<x@other.example>',
  'RCPT TO:<no@example.com>',
  'RCPT TO:<x@[192.0.2.1]>',
)
list(
  'allow_untrusted_routing',
  { mynetworks: '127.0.0.0/8', allow_percent_hack: 'yes' },
  HELLO,
  FROM,
  'RCPT TO:<x%other.example@example.com>',
  'RCPT TO:<x%other.example@relay.example>',
  'RCPT TO:<@relay.example:x@other.example>',
  'RCPT TO:<other.example!x>',
  'RCPT TO:<"x@other.example"@example.com>',
  'RCPT TO:<x@other.example@example.com>',
)
list(
  'strangers do not route',
  { smtpd_relay_restrictions: 'reject_unauth_destination' },
  HELLO,
  FROM,
  'RCPT TO:<x%other.example@example.com>',
  'RCPT TO:<x%other.example@relay.example>',
  'RCPT TO:<@relay.example:x@other.example>',
  'RCPT TO:<other.example!x@relay.example>',
  'RCPT TO:<"x@other.example"@example.com>',
  'RCPT TO:<x@other.example@example.com>',
)
list(
  'error transport',
  { smtpd_recipient_restrictions: 'permit' },
  HELLO,
  FROM,
  'RCPT TO:<x@error.example>',
  'RCPT TO:<x@error2.example>',
  'RCPT TO:<x@retry.example>',
  'RCPT TO:<x@errorlocal.example>',
)
list(
  'tables that cannot be asked',
  { smtpd_client_restrictions: 'check_client_access fail:x' },
  ...MESSAGE,
)
list(
  'a mynetworks table that cannot be asked',
  { mynetworks: 'fail:x' },
  HELLO,
  FROM,
  'RCPT TO:<x@other.example>',
)
list(
  'permits in the log',
  {
    smtpd_log_access_permit_actions: 'static:all',
    mynetworks: '127.0.0.0/8',
    smtpd_client_restrictions: 'permit_mynetworks',
    smtpd_sender_restrictions: 'check_sender_access static:OK',
    smtpd_recipient_restrictions: 'permit',
  },
  ...MESSAGE,
)
list(
  'one permit in the log',
  {
    smtpd_log_access_permit_actions: 'permit_mynetworks',
    mynetworks: '127.0.0.0/8',
    smtpd_recipient_restrictions: 'permit',
  },
  ...MESSAGE,
)
list(
  'postmaster is always there',
  { smtpd_recipient_restrictions: 'reject', smtpd_client_restrictions: 'reject' },
  HELLO,
  FROM,
  'RCPT TO:<postmaster>',
  'RCPT TO:<postmaster@example.com>',
  'RCPT TO:<"postmaster">',
)
list(
  'two messages, one discarded',
  { smtpd_sender_restrictions: 'check_sender_access inline:{ {a@client.test=DISCARD}}' },
  HELLO,
  FROM,
  'RCPT TO:<x@other.example>',
  TO,
  'DATA',
  '.',
  'MAIL FROM:<b@client.test>',
  TO,
  'DATA',
  '.',
)
list(
  'an empty list',
  {
    smtpd_relay_restrictions: 'permit_mynetworks, defer_unauth_destination',
    smtpd_recipient_restrictions: '',
  },
  HELLO,
  FROM,
  'RCPT TO:<x@other.example>',
)

t.test('access lists', async (t) => {
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
