/**
 * smtpd-actions.test - what an entry of an access(5) table can ask for, beside the real smtpd(8)
 */
import t from 'tap'
import { compareSessions, type SessionScript } from './smtpd-sessions.ts'

const HELLO = 'EHLO client.test'
const FROM = 'MAIL FROM:<a@client.test>'
const TO = 'RCPT TO:<joe@example.com>'
const MESSAGE = [HELLO, FROM, TO, 'DATA', '.']

/** Actions of access(5), by the local part of the recipient; each is a word of the table and a session. */
const ACTIONS: Readonly<Record<string, string>> = {
  ok: 'OK',
  number: '1234567890',
  dunno: 'DUNNO',
  reject: 'REJECT',
  rejecttext: 'REJECT go away',
  rejectcode: 'REJECT 5.7.99 go away',
  rejectsender: 'REJECT 5.1.7 no such sender',
  rejectclass: 'REJECT 4.7.1 for now',
  lower: 'reject lower case',
  defer: 'DEFER',
  defertext: 'DEFER come again',
  four: '450 not now',
  four2: '450 4.7.2 not now',
  five: '550 never',
  five2: '550 5.1.7 never',
  fiveempty: '550',
  fiveclass: '550 4.7.2 odd',
  two: '250 hello',
  three: '354 hello',
  four21: '421 4.7.0 bye',
  five21: '521 bye',
  permitdefer: 'DEFER_IF_PERMIT',
  permitdefertext: 'DEFER_IF_PERMIT 4.7.3 wait',
  rejectdefer: 'DEFER_IF_REJECT',
  rejectdefertext: 'DEFER_IF_REJECT wait a little',
  hold: 'HOLD',
  holdtext: 'HOLD for a reason',
  discard: 'DISCARD',
  discardtext: 'DISCARD for a reason',
  filter: 'FILTER discard:there',
  filterbad: 'FILTER nowhere',
  filterempty: 'FILTER',
  redirect: 'REDIRECT ann@example.com',
  redirectbad: 'REDIRECT ann',
  bcc: 'BCC ann@example.com',
  bccbad: 'BCC ann',
  prepend: 'PREPEND X-Test: yes',
  prependbad: 'PREPEND no header',
  prependempty: 'PREPEND',
  warn: 'WARN',
  warntext: 'WARN look here',
  info: 'INFO',
  infotext: 'INFO look here',
  restriction: 'reject_non_fqdn_sender, reject',
  permit: 'permit',
  class: 'strict',
  nonsense: 'NONSENSE',
  nonsensetext: 'NONSENSE and more',
  authdest: 'permit_auth_destination, reject',
  table: 'check_sender_access inline:{ {client.test = REJECT nested} }',
  empty: 'reject_unverified',
}

const actionTable = `inline:{ ${Object.entries(ACTIONS)
  .map(([name, value]) => `{ ${name}@example.com = ${value} }`)
  .join(', ')} }`

const say = (title: string, service: string, ...script: string[]): SessionScript => ({
  title,
  service,
  script,
})

const sessions: readonly SessionScript[] = [
  ...Object.keys(ACTIONS).map((name) =>
    say(
      `action ${name}`,
      'actions',
      HELLO,
      FROM,
      `RCPT TO:<${name}@example.com>`,
      'RCPT TO:<x@other.example>',
      'DATA',
      '.',
      'QUIT',
    ),
  ),
  say(
    'enhanced codes fit the sender',
    'senderActions',
    HELLO,
    ...['a', 'b', 'e', 'd'].flatMap((name) => [`MAIL FROM:<${name}@client.test>`, TO, 'RSET']),
  ),
  say(
    'a discarded message',
    'senderActions',
    HELLO,
    'MAIL FROM:<c@client.test>',
    TO,
    'RCPT TO:<nobody@other.example>',
    'DATA',
    '.',
    'NOOP',
  ),
  say('enhanced codes fit the greeting', 'heloActions', ...MESSAGE),
]

t.test('actions', async (t) => {
  await compareSessions(t, {
    main: {
      smtpd_restriction_classes: 'strict, sometimes',
      strict: 'reject_non_fqdn_sender, reject',
      sometimes: 'check_recipient_access inline:{joe@example.com=strict}',
      transport_maps:
        'inline:{ {error.example=error:no mail here}, {error2.example=error:5.1.2 no such host}, {retry.example=retry:later}, {errorlocal.example=error:4.2.1 wait} }',
      local_recipient_maps: '',
    },
    services: {
      actions: {
        smtpd_recipient_restrictions: `check_recipient_access ${actionTable}`,
        smtpd_hard_error_limit: '200',
      },
      senderActions: {
        smtpd_sender_restrictions:
          'check_sender_access inline:{ {a@client.test=REJECT 5.1.1 one}, {b@client.test=550 5.1.2 two}, {c@client.test=DISCARD}, {d@client.test=HOLD}, {e@client.test=550 5.2.0 x} }',
      },
      heloActions: {
        smtpd_helo_restrictions: 'check_helo_access inline:{ {client.test=550 5.1.1 three}}',
      },
    },
    sessions,
  })
})
