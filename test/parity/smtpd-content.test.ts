/**
 * smtpd-content.test - DATA and BDAT, ends of lines, pipelining and limits, beside the real smtpd(8)
 *
 * What arrives is compared, too: messages are held, and read with postcat(1).
 */
import t from 'tap'
import { compareSessions, type RawStep, type SessionScript } from './smtpd-sessions.ts'

const HELLO = 'EHLO client.test'
const BEGIN = [HELLO, 'MAIL FROM:<a@client.test>', 'RCPT TO:<joe@example.com>']
const raw = (octets: string, replies = 1): RawStep => ({ raw: octets, replies })

const session = (
  title: string,
  service: string,
  ...script: (string | RawStep)[]
): SessionScript => ({ title, service, script })

/** One message by DATA; `content` ends it. */
const data = (
  title: string,
  service: string,
  content: string,
  ...more: (string | RawStep)[]
): SessionScript => session(`DATA: ${title}`, service, ...BEGIN, 'DATA', raw(content), ...more)

const bdat = (title: string, ...script: (string | RawStep)[]): SessionScript =>
  session(`BDAT: ${title}`, 'plain', ...BEGIN, ...script)

const END = '\r\n.\r\n'
const contents: readonly [string, string][] = [
  ['nothing', '.\r\n'],
  ['one line', `hello${END}`],
  ['a header', `Subject: x\r\n\r\nbody${END}`],
  ['dots', `\r\n..\r\n.a\r\n...b\r\n. \r\n${END}`],
  ['a first line that is a continuation', ` x\r\nSubject: y\r\n\r\nz${END}`],
  ['a first line that begins with a tab', `\tx${END}`],
  ['a mailbox separator', `From me Mon\r\nSubject: y\r\n\r\nz${END}`],
  ['several mailbox separators', `>From me\r\nFrom you\r\n>>From x\r\n\r\nFrom z${END}`],
  ['bare LF', `Subject: x\n\nbody\nmore${END}`],
  ['bare LF before the dot', 'x\n.\r\n'],
  ['dot LF', 'x\r\n.\n'],
  ['LF dot LF', 'x\n.\n'],
  ['CR dot CR LF', `x\r.\r\ny${END}`],
  ['bare CR', `a\rb\r\n\rc\r\nd\r\r\n${END}`],
  ['NUL', `a\0b\r\n\0${END}`],
  ['octets above 127', `Subject: \xe9\r\n\r\n\xff\xc3\xa9${END}`],
  ['a line of exactly the limit', `${'x'.repeat(2048)}${END}`],
  ['a line beyond the limit', `${'x'.repeat(2049)}${END}`],
  ['a line of three times the limit', `${'x'.repeat(6144)}\r\ny${END}`],
  ['a dot where a long line is cut', `${'x'.repeat(2048)}.\r\n${'y'.repeat(2048)}.y${END}`],
  ['a long header', `Subject: ${'x'.repeat(5000)}\r\n\r\ny${END}`],
  ['an unusual header', `Subject : x\r\nReceived: a\r\nFoo\r\n\r\ny${END}`],
]

const sessions: readonly SessionScript[] = [
  ...contents.map(([title, content]) => data(title, 'plain', content)),
  ...contents.slice(8, 14).map(([title, content]) => data(title, 'normalize', content + END)),
  ...contents.slice(8, 14).map(([title, content]) => data(title, 'reject', content + END)),
  session('bare LF in a command, rejected', 'reject', HELLO, raw('NOOP\n'), 'NOOP'),
  session('bare LF in a command, normalized', 'normalize', HELLO, raw('NOOP\n'), 'NOOP'),
  session('bare LF, excluded client', 'excluded', ...BEGIN, 'DATA', raw('x\n.\n'), raw('NOOP\n')),
  data('too big', 'small', `${'x'.repeat(2000)}${END}`, 'NOOP', ...BEGIN, 'DATA', `y${END}`),
  data('just not too big', 'small', `${'x'.repeat(990)}${END}`),
  session(
    'SIZE too big',
    'small',
    HELLO,
    'MAIL FROM:<a@b> SIZE=1001',
    'RSET',
    'MAIL FROM:<a@b> SIZE=1000',
    'RSET',
  ),
  session('DATA: lost in the middle', 'plain', ...BEGIN, 'DATA', raw('half a line', 0)),
  session('lost before content', 'plain', ...BEGIN, 'DATA'),
  session(
    'DATA in pieces',
    'plain',
    ...BEGIN,
    'DATA',
    raw('a\r', 0),
    raw('\n.', 0),
    raw('\r', 0),
    raw('\n'),
  ),
  session(
    'two messages',
    'plain',
    ...BEGIN,
    'DATA',
    raw(`x${END}`),
    ...BEGIN.slice(1),
    'DATA',
    raw(`y${END}`),
    'QUIT',
  ),
  bdat('LAST with nothing', 'BDAT 0 LAST', 'NOOP'),
  bdat('nothing, not LAST', 'BDAT 0', 'RSET', 'NOOP'),
  bdat('one chunk', raw('BDAT 12 LAST\r\nSubject: x\r\n')),
  bdat('two chunks', raw('BDAT 5\r\nSubje'), raw('BDAT 7 LAST\r\nct: x\r\n')),
  bdat('chunks and an empty LAST', raw('BDAT 5\r\nhello'), 'BDAT 0 LAST'),
  bdat('dots', raw('BDAT 14 LAST\r\n..\r\n.\r\n.a\r\nx\r\n')),
  bdat('without an end of line', raw('BDAT 5 LAST\r\nhello')),
  bdat('bare LF', raw('BDAT 8 LAST\r\na\nb\n\nc\r\n')),
  bdat('CR at the end of a chunk', raw('BDAT 2\r\na\r'), raw('BDAT 3 LAST\r\n\nb\n')),
  bdat(
    'long lines',
    raw(`BDAT 5000\r\n${'x'.repeat(5000)}`),
    raw(`BDAT 3000 LAST\r\n${'y'.repeat(3000)}`),
  ),
  bdat('syntax', 'BDAT'),
  bdat('syntax: no number', 'BDAT x LAST'),
  bdat('syntax: negative', 'BDAT -1 LAST'),
  bdat('syntax: what follows', 'BDAT 1 FIRST'),
  bdat('syntax: more', 'BDAT 1 LAST x'),
  bdat('syntax: large', 'BDAT 99999999999999999999 LAST'),
  bdat('lower case', raw('bdat 5 last\r\nhello')),
  bdat(
    'DATA after BDAT',
    raw('BDAT 2\r\na\n'),
    'DATA',
    'MAIL FROM:<x@y>',
    'RCPT TO:<joe@example.com>',
    'VRFY joe',
    'NOOP',
    raw('BDAT 2 LAST\r\nb\n'),
  ),
  bdat(
    'RSET after BDAT',
    raw('BDAT 2\r\na\n'),
    'RSET',
    'DATA',
    raw('BDAT 2 LAST\r\nb\n'),
    'RSET',
    ...BEGIN.slice(1),
    raw('BDAT 2 LAST\r\nb\n'),
  ),
  bdat('HELO after BDAT', raw('BDAT 2\r\na\n'), 'HELO x', raw('BDAT 2 LAST\r\nb\n')),
  bdat('lost in a chunk', raw('BDAT 20\r\nabc', 0)),
  bdat('lost between chunks', raw('BDAT 3\r\nabc')),
  session(
    'BDAT before MAIL',
    'plain',
    HELLO,
    raw('BDAT 3\r\nabc'),
    'MAIL FROM:<a@b>',
    'RSET',
    'MAIL FROM:<a@b>',
  ),
  session(
    'BDAT before RCPT',
    'plain',
    HELLO,
    'MAIL FROM:<a@b>',
    raw('BDAT 3\r\nabc'),
    raw('BDAT 3 LAST\r\nabc'),
    'RCPT TO:<joe@example.com>',
    'RSET',
  ),
  session(
    'BDAT, too big a chunk',
    'small',
    ...BEGIN,
    raw(`BDAT 1001\r\n${'x'.repeat(1001)}`),
    raw('BDAT 2 LAST\r\nb\n'),
    'RSET',
    ...BEGIN,
  ),
  session(
    'BDAT, too big in the end',
    'small',
    ...BEGIN,
    raw(`BDAT 600\r\n${'x'.repeat(600)}`),
    raw(`BDAT 600\r\n${'x'.repeat(600)}`),
    raw('BDAT 2 LAST\r\nb\n'),
    'RSET',
    ...BEGIN,
  ),
  session(
    'BDAT, pipelined',
    'plain',
    HELLO,
    raw(
      'MAIL FROM:<a@b>\r\nRCPT TO:<joe@example.com>\r\nBDAT 2\r\na\nBDAT 2 LAST\r\nb\nNOOP\r\n',
      5,
    ),
  ),
  session(
    'BDAT, pipelined, without recipients',
    'plain',
    HELLO,
    raw(
      'MAIL FROM:<a@b>\r\nRCPT TO:<no@example.com>\r\nBDAT 2\r\na\nBDAT 2 LAST\r\nb\nNOOP\r\n',
      5,
    ),
  ),
  session('BDAT and bare LF rejected', 'reject', ...BEGIN, raw('BDAT 5 LAST\r\na\nb\r\n'), 'NOOP'),
  session(
    'BDAT and bare LF normalized',
    'normalize',
    ...BEGIN,
    raw('BDAT 5 LAST\r\na\nb\r\n'),
    'NOOP',
  ),
  session(
    'pipelined',
    'plain',
    HELLO,
    raw('MAIL FROM:<a@b>\r\nRCPT TO:<joe@example.com>\r\nRCPT TO:<no@example.com>\r\nDATA\r\n', 4),
    raw(`x${END}QUIT\r\n`, 2),
  ),
  session(
    'pipelined with HELO',
    'plain',
    raw('HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<joe@example.com>\r\n', 3),
  ),
  session('pipelined behind EHLO', 'plain', raw('EHLO x\r\nNOOP\r\nNOOP\r\n', 3)),
  session(
    'pipelined behind DATA',
    'plain',
    ...BEGIN,
    raw(`DATA\r\nSubject: x\r\n\r\ny${END}NOOP\r\n`, 3),
  ),
  session(
    'pipelined behind refused DATA',
    'plain',
    HELLO,
    raw('DATA\r\nSubject: x\r\n\r\ny\r\n.\r\n', 2),
  ),
  { title: 'talks first, forbidden', service: 'late', early: 'EHLO x\r\n', script: [] },
  session('forbidden: behind EHLO', 'orderly', raw('EHLO x\r\nNOOP\r\n', 2)),
  session(
    'forbidden: with HELO',
    'orderly',
    'HELO x',
    raw('MAIL FROM:<a@b>\r\nRCPT TO:<joe@example.com>\r\n', 2),
  ),
  session('forbidden: behind DATA', 'orderly', ...BEGIN, raw(`DATA\r\nx${END}`, 2)),
  session(
    'allowed: a group',
    'orderly',
    HELLO,
    raw('MAIL FROM:<a@b>\r\nRCPT TO:<joe@example.com>\r\nDATA\r\n', 3),
    raw(`x${END}`),
  ),
  session(
    'reject_unauth_pipelining',
    'checked',
    raw('EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<joe@example.com>\r\nDATA\r\nx\r\n.\r\n', 4),
  ),
  session('reject_unauth_pipelining, polite', 'checked', ...BEGIN, 'DATA', raw(`x${END}`)),
  session(
    'hop count',
    'hops',
    ...BEGIN,
    'DATA',
    raw(`Received: a\r\nReceived: b\r\nReceived: c\r\n\r\nx${END}`),
  ),
  session(
    'header checks',
    'checkedHeaders',
    ...BEGIN,
    'DATA',
    raw(`Subject: bad\r\n\r\nx${END}`),
    ...BEGIN.slice(1),
    'DATA',
    raw(`Subject: worse\r\n\r\nx${END}`),
    ...BEGIN.slice(1),
    'DATA',
    raw(`Subject: gone\r\n\r\nx${END}`),
  ),
]

t.test('content', async (t) => {
  await compareSessions(t, {
    main: {
      smtpd_end_of_data_restrictions: 'check_client_access static:HOLD',
      header_checks:
        'regexp:{{/^Subject: bad/ REJECT no bad subjects}, {/^Subject: worse/ REJECT 5.7.9 worse}, {/^Subject: gone/ DISCARD}}',
    },
    services: {
      plain: { smtpd_hard_error_limit: '100' },
      normalize: { smtpd_forbid_bare_newline: 'normalize' },
      reject: { smtpd_forbid_bare_newline: 'reject' },
      excluded: {
        smtpd_forbid_bare_newline: 'reject',
        smtpd_forbid_bare_newline_exclusions: '127.0.0.1',
      },
      small: { message_size_limit: '1000' },
      orderly: { smtpd_forbid_unauth_pipelining: 'yes' },
      // the client's words are here before they are looked for
      late: {
        smtpd_forbid_unauth_pipelining: 'yes',
        smtpd_delay_reject: 'no',
        smtpd_client_restrictions: 'sleep 1',
      },
      checked: { smtpd_data_restrictions: 'reject_unauth_pipelining' },
      hops: { cleanup_service_name: 'cleanup' },
      checkedHeaders: {},
    },
    sessions,
    comparesMail: true,
  })
})
