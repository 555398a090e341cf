/**
 * smtpd-syntax.test - what MAIL and RCPT take: addresses of every kind, and parameters, beside the real smtpd(8)
 */
import t from 'tap'
import { compareSessions, type SessionScript } from './smtpd-sessions.ts'

const HELLO = 'EHLO client.test'
const FROM = 'MAIL FROM:<a@client.test>'

/** A session of one command after EHLO each. */
const each = (title: string, service: string, ...commands: string[]): SessionScript => ({
  title,
  service,
  script: [HELLO, ...commands, 'QUIT'],
})

/** MAIL commands, each in a transaction of its own. */
const mails = (title: string, service: string, ...paths: string[]): SessionScript =>
  each(title, service, ...paths.flatMap((path) => [`MAIL FROM:${path}`, 'RSET']))

/** RCPT commands in one transaction. */
const recipients = (title: string, service: string, ...paths: string[]): SessionScript =>
  each(title, service, FROM, ...paths.map((path) => `RCPT TO:${path}`))

const sessions: readonly SessionScript[] = [
  mails(
    'MAIL syntax',
    'patient',
    ...[
      '<a@client.test>',
      ' <a@client.test>',
      '<>',
      ' <>',
      '< >',
      'a@client.test',
      '<a>',
      '<a@b@c>',
    ],
    ...['<"a b"@c.test>', '<"a\\"b"@c.test>', '<""@c.test>', '<a b@c.test>', '<"a@b"@c.test>'],
    ...['<a@[192.0.2.1]>', '<a@[IPv6:2001:db8::1]>', '<a@[999.1.1.1]>', '<a@192.0.2.1>', '<a@>'],
    ...['<@c.test>', '<@x.test:a@c.test>', '<@x.test,@y.test:a@c.test>', '<a@c.test', 'a@c.test>'],
    ...[
      '<a@c..test>',
      '<.a@c.test>',
      '<a.@c.test>',
      '<a..b@c.test>',
      '<a@c.test> ',
      '<<a@c.test>>',
    ],
    ...['(comment)<a@c.test>', 'Name <a@c.test>', '"Name" <a@c.test>', '<a@c.test>(comment)'],
    ...['<a@c_d.test>', '<a@-c.test>', '<a@c.test.>', '<a%b@c.test>', '<a!b>', '<a@c.test>x', ''],
    ...['<a,b@c.test>', '<a;b@c.test>', '<a:b@c.test>', '<\\a@c.test>', '<a@"c".test>', '<a@c d>'],
    ...[`<${'l'.repeat(65)}@c.test>`, `<a@${'d'.repeat(64)}.test>`, `<a@${'dd.'.repeat(90)}test>`],
  ),
  mails(
    'MAIL syntax, strict',
    'strict',
    ...['<a@client.test>', ' <a@client.test>', '<>', 'a@client.test', '<a>', '<"a b"@c.test>'],
    ...[
      '<@x.test:a@c.test>',
      '(comment)<a@c.test>',
      'Name <a@c.test>',
      '<a@c.test',
      '<a b@c.test>',
    ],
    ...['<a@[192.0.2.1]>', '<a..b@c.test>', '<a@c.test>(comment)', '<a,b@c.test>', '<a@c.test.>'],
  ),
  each(
    'MAIL that is none',
    'patient',
    ...[
      'MAIL',
      'MAIL FROM',
      'MAIL FROM:',
      'MAIL FROM :<a@b.test>',
      'MAIL TO:<a@b.test>',
      'MAIL <a>',
    ],
    ...[
      'MAIL  FROM:<a@b.test>',
      'RSET',
      'MAIL from:<a@b.test>',
      'RSET',
      'mail FrOm:<a@b.test>',
      'RSET',
    ],
    ...['MAIL FROM:\t<a@b.test>', 'RSET', 'MAILFROM:<a@b.test>', 'MAIL\tFROM:<a@b.test>'],
  ),
  mails(
    'MAIL parameters',
    'patient',
    ...['<a@b.test> SIZE=100', '<a@b.test> size=100', '<a@b.test> SIZE=', '<a@b.test> SIZE'],
    ...['<a@b.test> SIZE=-1', '<a@b.test> SIZE=1x', '<a@b.test> SIZE=99999999999999999999999'],
    ...['<a@b.test> SIZE=10240001', '<a@b.test> SIZE=10240000', '<a@b.test> SIZE=0'],
    ...['<a@b.test> SIZE=18446744073709551615', '<a@b.test> SIZE=9223372036854775807'],
    ...[
      '<a@b.test> BODY=7BIT',
      '<a@b.test> BODY=8BITMIME',
      '<a@b.test> body=8bitmime',
      '<a@b.test> BODY=',
    ],
    ...[
      '<a@b.test> BODY',
      '<a@b.test> BODY=BINARYMIME',
      '<a@b.test> SMTPUTF8',
      '<a@b.test> smtputf8',
    ],
    ...['<a@b.test> SMTPUTF8=x', '<a@b.test> RET=FULL', '<a@b.test> RET=hdrs', '<a@b.test> RET=x'],
    ...[
      '<a@b.test> RET',
      '<a@b.test> RET=',
      '<a@b.test> RET=FULL RET=HDRS',
      '<a@b.test> ENVID=abc',
    ],
    ...[
      '<a@b.test> ENVID=',
      '<a@b.test> ENVID',
      '<a@b.test> ENVID=a+2Bb',
      '<a@b.test> ENVID=a+2bb',
    ],
    ...[
      '<a@b.test> ENVID=a+0Ab',
      '<a@b.test> ENVID=a+',
      '<a@b.test> ENVID=a=b',
      '<a@b.test> ENVID=+20',
    ],
    ...[
      '<a@b.test> ENVID=a ENVID=b',
      '<a@b.test> AUTH=<>',
      '<a@b.test> AUTH=x@y',
      '<a@b.test> AUTH=',
    ],
    ...[
      '<a@b.test> AUTH',
      '<a@b.test> FOO',
      '<a@b.test> FOO=BAR',
      '<a@b.test> =',
      '<a@b.test>SIZE=1',
    ],
    ...[
      '<a@b.test>  SIZE=1   BODY=7BIT',
      '<a@b.test> XVERP',
      '<a@b.test> XVERP=+=',
      '<a@b.test> SIZE=1 x',
    ],
    ...[
      'a@b.test SIZE=1',
      '<a@b.test> HOLDFOR=1',
      '<a@b.test> REQUIRETLS',
      '<a@b.test> SIZE=1 SIZE=2',
    ],
  ),
  recipients(
    'RCPT syntax',
    'patient',
    ...[
      '<joe@example.com>',
      ' <joe@example.com>',
      'joe@example.com',
      '<>',
      ' <>',
      '< >',
      '<joe>',
      '',
    ],
    ...['<"joe"@example.com>', '<"j oe"@example.com>', '<@x.test:joe@example.com>', '<postmaster>'],
    ...[
      '<@x.test,@y.test:joe@example.com>',
      '<Postmaster@example.com>',
      '<POSTMASTER>',
      'postmaster',
    ],
    ...[
      '<joe@[127.0.0.1]>',
      '<joe@[192.0.2.9]>',
      '<joe@[IPv6:::1]>',
      '<joe@[x]>',
      '<joe@127.0.0.1>',
    ],
    ...[
      '<joe@example.com',
      'joe@example.com>',
      '<joe@EXAMPLE.COM>',
      '<joe@example.com.>',
      '<joe@>',
    ],
    ...[
      '<joe%relay.example@example.com>',
      '<relay.example!joe>',
      '<@example.com>',
      '<joe@example..com>',
    ],
    ...['<joe@other.example>', '<nobody@example.com>', '<joe@relay.example>', '<no@relay.example>'],
    ...[
      '<joe@alias.example>',
      '<no@alias.example>',
      '<joe@virtual.example>',
      '<no@virtual.example>',
    ],
    ...[
      '<joe+x@example.com>',
      '<joe@sub.relay.example>',
      '<joe@sub.example.com>',
      '<JOE@example.com>',
    ],
    ...['<mailer-daemon@example.com>', '<double-bounce@example.com>', '<postmaster@relay.example>'],
    ...['<postmaster@alias.example>', '<"joe@other.example"@example.com>', '<joe@example.com>x'],
    ...[
      '<postmaster@[127.0.0.1]>',
      '<joe@localhost>',
      '<joe@mx.example.test>',
      '<joe@mx>',
      '<a b>',
    ],
  ),
  recipients(
    'RCPT parameters',
    'patient',
    ...['<joe@example.com> NOTIFY=NEVER', '<joe@example.com> notify=success,failure,delay'],
    ...[
      '<joe@example.com> NOTIFY=NEVER,SUCCESS',
      '<joe@example.com> NOTIFY=',
      '<joe@example.com> NOTIFY',
    ],
    ...['<joe@example.com> NOTIFY=SOMETIMES', '<joe@example.com> NOTIFY=SUCCESS,,DELAY'],
    ...['<joe@example.com> NOTIFY=SUCCESS,SUCCESS', '<joe@example.com> NOTIFY=NEVER,NEVER'],
    ...['<joe@example.com> ORCPT=rfc822;x@y.test', '<joe@example.com> ORCPT=rfc822;x+40y.test'],
    ...[
      '<joe@example.com> ORCPT=x@y.test',
      '<joe@example.com> ORCPT=rfc822;',
      '<joe@example.com> ORCPT=',
    ],
    ...[
      '<joe@example.com> ORCPT=;x',
      '<joe@example.com> ORCPT=rfc822;x+',
      '<joe@example.com> ORCPT',
    ],
    ...['<joe@example.com> ORCPT=rfc822;x+0Ay', '<joe@example.com> ORCPT=utf-8;x\\x{e9}@y.test'],
    ...[
      '<joe@example.com> ORCPT=utf-8;x+40y',
      '<joe@example.com> ORCPT=UNKNOWN;x',
      '<joe@example.com> SIZE=1',
    ],
    ...[
      '<joe@example.com> ORCPT=rfc822;a ORCPT=rfc822;b',
      '<joe@example.com> FOO',
      '<joe@example.com> X=Y',
    ],
    ...[
      '<joe@example.com> NOTIFY=NEVER NOTIFY=DELAY',
      '<joe@example.com> ORCPT=a/b;x',
      '<joe@example.com> ORCPT=a b;x',
    ],
  ),
  each(
    'RCPT that is none',
    'patient',
    FROM,
    ...['RCPT', 'RCPT TO', 'RCPT TO:', 'RCPT FROM:<joe@example.com>', 'RCPT TO :<joe@example.com>'],
    ...['RCPT  to:<joe@example.com>', 'RCPT <joe@example.com>', 'RCPT\tTO:<joe@example.com>'],
  ),
]

t.test('syntax of MAIL and RCPT', async (t) => {
  const patient = { smtpd_hard_error_limit: '200', smtpd_junk_command_limit: '200' }
  await compareSessions(t, {
    services: { patient, strict: { ...patient, strict_rfc821_envelopes: 'yes' } },
    sessions,
  })
})
