/**
 * smtpd-replies.test - footers of replies, replaced commands, and keywords that are not announced, beside the real smtpd(8)
 */
import t from 'tap'
import { compareSessions, type SessionScript } from './smtpd-sessions.ts'

const HELLO = 'EHLO client.test'
const KEYWORDS = [
  '8bitmime',
  'auth',
  'dsn',
  'enhancedstatuscodes',
  'etrn',
  'pipelining',
  'starttls',
  'vrfy',
  'smtputf8',
  'verp',
  'xclient',
]

const session = (title: string, service: string, ...script: string[]): SessionScript => ({
  title,
  service,
  script,
})

const sessions: readonly SessionScript[] = [
  session(
    'footer on the same line',
    'footer',
    HELLO,
    'FOO',
    'MAIL FROM:<a@b.test>',
    'RCPT TO:<x@y.test>',
    'RCPT TO:<no@example.com>',
    'MAIL',
    'HELO',
    'GET /',
  ),
  session(
    'footer with attributes',
    'attributes',
    HELLO,
    'FOO',
    'EHLO odd"name',
    'MAIL FROM:<>',
    'RCPT TO:<no@example.com>',
    'RCPT TO:<joe@example.com>',
    'RCPT TO:<no@example.com>',
    'BDAT x',
  ),
  session(
    'footer of two lines',
    'lines',
    'FOO',
    'HELO',
    'ETRN x.test',
    'MAIL FROM:<a',
    'BDAT',
    'RCPT',
  ),
  session(
    'footers by reply',
    'mapped',
    HELLO,
    'FOO',
    'MAIL FROM:<a@b.test>',
    'RCPT TO:<x@y.test>',
    'RCPT TO:<no@example.com>',
    'MAIL',
  ),
  session(
    'footer and soft bounce',
    'soft',
    HELLO,
    'FOO',
    'MAIL FROM:<a@b.test>',
    'RCPT TO:<no@example.com>',
  ),
  session(
    'commands are replaced',
    'filtered',
    'HELO x',
    'hullo x',
    HELLO,
    'FOO',
    '  NOOP  ',
    'NOOP\t',
    '',
    'MAIL FROM:<a@b.test>',
    'RCPT TO:<joe+x@example.com>',
    'rcpt to:<joe+y@example.com> NOTIFY=NEVER',
    'DATA',
    '.',
    'EMPTY',
    'QUIT',
  ),
  session(
    'keywords by address',
    'keywords',
    HELLO,
    'ETRN x.test',
    'XCLIENT ADDR=192.0.2.5',
    HELLO,
    'HELO x',
    HELLO,
  ),
  ...KEYWORDS.map((word) =>
    session(
      `without ${word}`,
      word,
      HELLO,
      'MAIL FROM:<a@b.test> BODY=8BITMIME',
      'VRFY joe@example.com',
      'RSET',
      'XCLIENT NAME=x',
    ),
  ),
]

const one = (word: string): [string, Record<string, string>] => [
  word,
  {
    smtpd_discard_ehlo_keywords: word,
    smtpd_authorized_xclient_hosts: '127.0.0.1',
    smtpd_authorized_verp_clients: '127.0.0.1',
  },
]
const trusted = {
  smtpd_authorized_xclient_hosts: '127.0.0.0/8, 192.0.2.0/24',
  smtpd_hard_error_limit: '100',
}

t.test('replies and keywords', async (t) => {
  await compareSessions(t, {
    services: {
      footer: {
        smtpd_reject_footer:
          '\\c. For help: $client_name $client_address $helo_name $mail_name $sender $recipient $server_name',
      },
      attributes: {
        smtpd_reject_footer:
          's=$sender r=${recipient} sd=$(sender_domain) rn=$recipient_name ${recipient?{yes}:{no}} $server_name $client $reverse_client_name h=$helo_name $foo $$ x',
      },
      lines: { smtpd_reject_footer: 'first\\nsecond', smtpd_hard_error_limit: '100' },
      mapped: {
        smtpd_reject_footer: 'otherwise',
        smtpd_reject_footer_maps: 'regexp:{{/^5.*unknown/ mapped}, {/^503/ \\c appended}}',
      },
      soft: { smtpd_reject_footer: 'help', soft_bounce: 'yes' },
      filtered: {
        smtpd_command_filter:
          'regexp:{{/^(rcpt to:<.*)[+][^@]*(@.*)$$/ $$1$$2}, {/^hullo (.*)$$/ EHLO $$1}, {/^NOOP$$/ RSET}, {/^FOO/ bar baz}, {/^$$/ NOOP}}',
      },
      keywords: {
        ...trusted,
        smtpd_discard_ehlo_keywords: 'vrfy',
        smtpd_discard_ehlo_keyword_address_maps:
          'inline:{ {127.0.0.1=size etrn}, {192.0.2.5=DSN, burl} }',
      },
      ...Object.fromEntries(KEYWORDS.map(one)),
    },
    sessions,
  })
})
