/**
 * smtp-rude-cases - malformed replies, replies before their time, connections lost in the middle, for smtp-faults.test
 */
import type { Script, ScriptedReply } from '@posthorn/testing/scripted-peer'
import type { Scenario } from './smtp-scenario.ts'

function says(replies: Script, more: Partial<Scenario> = {}, extensions: string[] = []): Scenario {
  return { servers: { $1: { replies, extensions } }, nexthop: '[$1]', ...more }
}

function saysLmtp(replies: Script, more: Partial<Scenario> = {}): Scenario {
  return {
    program: 'lmtp',
    servers: { $1: { replies, isLmtp: true } },
    nexthop: '[$1]',
    ...more,
  }
}

const two = { recipients: ['a@example.test', 'b@example.test'] }

/** Lines that are no replies: the client reads on. */
const GARBAGE: Record<string, string> = {
  'no blank after the code': '250x',
  'two digits': '25',
  'four digits': '2500 ok',
  'an empty line': '',
  'a blank': ' ',
  'a lone CR': '\r',
  'NUL before the code': '\x00250 2.1.0 a',
  'a blank before the code': ' 250 2.1.0 ok',
  'a tab after the code': '250\t2.1.0 ok',
  'letters for digits': 'abc def',
}

/** Replies all the same. */
const ODD: Record<string, string> = {
  'another code in a continuation': '250-2.1.0 one\r\n251 2.1.0 two',
  'another class in a continuation': '250-2.1.0 one\r\n550 5.1.0 two',
  'NUL in the text': '250 2.1.0 a\0b',
  'code 000': '000 what',
  'code 600': '600 what',
  'code 999': '999 what',
  'code 100': '100 what',
  'an enhanced code of one part': '550 5 no',
  'an enhanced code that is long': '550 5.1234.1 no',
  'an enhanced code without text': '550 5.1.1',
}

export const malformed: Record<string, Scenario> = {}
for (const extensions of [[], ['PIPELINING']]) {
  const kind = extensions.length === 0 ? '' : ', pipelined'
  for (const [name, text] of Object.entries({ ...GARBAGE, ...ODD })) {
    const replies = { MAIL: { text, close: true } }
    malformed[`${name}, then the end${kind}`] = says(replies, two, extensions)
  }
  for (const [name, text] of Object.entries(GARBAGE)) {
    const replies = { MAIL: `${text}\r\n250 2.1.0 Ok` }
    malformed[`${name}, then a good reply${kind}`] = says(replies, two, extensions)
  }
  for (const [name, text] of Object.entries(ODD)) {
    malformed[`${name}${kind}`] = says({ MAIL: text }, two, extensions)
  }
}
Object.assign(malformed, {
  'a continuation, then the end': says({ MAIL: { text: '250-2.1.0 more', close: true } }),
  'half a line, then the end': says({ MAIL: { octets: '250 2.1.0 O', close: true } }),
  '8-bit, without SMTPUTF8': says(
    { '.': '250 2.0.0 \xe9\xc3\xa9' },
    { settings: { smtputf8_enable: 'no' } },
  ),
  'NUL in the last reply': says({ '.': '250 2.0.0 a\0b' }),
  'NUL in a refusal': says({ RCPT: '550 5.1.1 a\0b' }),
  'a greeting and the end': says({ greeting: { text: '220 peer.test ESMTP', close: true } }),
  'all replies in the greeting': says({
    greeting:
      '220 peer.test ESMTP\r\n250 peer.test\r\n250 mail\r\n250 rcpt\r\n354 data\r\n250 dot\r\n221 bye',
    // nothing more: what a client has not read when it closes would reset the connection, and its words with it
    '': {},
  }),
  'more after the answer to QUIT': says({ QUIT: '221 2.0.0 Bye\r\n250 more\r\n421 and more' }),
  'a reply too many before the dot': says(
    { RCPT: '250 2.1.5 Ok\r\n550 5.1.1 no, after all' },
    { settings: { smtp_quit_timeout: '1s', smtp_rset_timeout: '1s' } },
  ),
  'a 421 after the last reply': says({
    '.': { text: '250 2.0.0 Ok', unasked: { text: '421 4.4.2 bye', close: true } },
  }),
  'bare LF throughout': says({ EHLO: '250-peer.test\n250-SIZE 1000000\n250 HELP' }),
} satisfies Record<string, Scenario>)

const KB = 1024
const lines = (octets: number): string[] => [
  'Subject: big',
  '',
  ...Array<string>(Math.ceil(octets / 72)).fill('x'.repeat(70)),
]
/** Nothing of the content is read, and little of it can be on its way. */
function deaf(unasked: ScriptedReply, sizeBytes: number, more: Partial<Scenario> = {}): Scenario {
  const isLmtp = more.program === 'lmtp'
  return {
    servers: {
      $1: {
        windowBytes: 4096,
        isLmtp,
        replies: { DATA: { text: '354 go', deafMs: Infinity, unasked } },
      },
    },
    nexthop: '[$1]',
    lines: lines(sizeBytes),
    ...two,
    ...more,
    // how much of the content is on its way when the connection ends is of no interest: nothing of it is read
  }
}

const BIG = 8 * KB * KB

export const content: Record<string, Scenario> = {
  'hangs up by a reset, 1 KB': deaf({ delayMs: 200, reset: true }, KB),
  'hangs up by a reset, 64 KB': deaf({ delayMs: 200, reset: true }, 64 * KB),
  'hangs up by a reset, 8 MB': deaf({ delayMs: 200, reset: true }, BIG),
  'says 550 and resets, 1 KB': deaf({ text: '550 5.7.1 no', delayMs: 200, reset: true }, KB),
  'says 550 and resets, 8 MB': deaf({ text: '550 5.7.1 no', delayMs: 200, reset: true }, BIG),
  'says 450 and resets, 8 MB': deaf({ text: '450 4.7.1 no', delayMs: 200, reset: true }, BIG),
  'says 250 and resets, 8 MB': deaf({ text: '250 2.0.0 yes', delayMs: 200, reset: true }, BIG),
  'LMTP: says 550 once and resets, 8 MB': deaf(
    { text: '550 5.7.1 no', delayMs: 200, reset: true },
    BIG,
    { program: 'lmtp' },
  ),
  'LMTP: says 550 twice and resets, 8 MB': deaf(
    { text: '550 5.7.1 a\r\n450 4.7.1 b', delayMs: 200, reset: true },
    BIG,
    { program: 'lmtp' },
  ),
  'LMTP: says 550 once and resets, 1 KB': deaf(
    { text: '550 5.7.1 no', delayMs: 200, reset: true },
    KB,
    { program: 'lmtp' },
  ),
  'reads late, 1 MB (smtp-sink -H)': {
    servers: { $1: { windowBytes: 4096, replies: { DATA: { text: '354 go', deafMs: 1000 } } } },
    nexthop: '[$1]',
    lines: lines(KB * KB),
  },
  'never reads, 8 MB': deaf({ delayMs: 60_000 }, BIG, {
    settings: { smtp_data_xfer_timeout: '1s' },
  }),
  'never reads, 1 KB': deaf({ delayMs: 60_000 }, KB, {
    settings: { smtp_data_done_timeout: '1s' },
  }),
  'LMTP: never reads, 8 MB': deaf({ delayMs: 60_000 }, BIG, {
    program: 'lmtp',
    settings: { lmtp_data_xfer_timeout: '1s' },
  }),
  'DATA is answered late, in time (smtp-sink -w)': says({ DATA: { text: '354 go', delayMs: 500 } }),
  'everything is answered late, in time (smtp-sink -W)': says(
    {
      greeting: { text: '220 peer.test ESMTP', delayMs: 200 },
      MAIL: { text: '250 2.1.0 Ok', delayMs: 200 },
      RCPT: { text: '250 2.1.5 Ok', delayMs: 200 },
      '.': { text: '250 2.0.0 Ok', delayMs: 200 },
      QUIT: { text: '221 2.0.0 Bye', delayMs: 200 },
    },
    two,
  ),
  'a refusal right behind the 354': says({ DATA: '354 go\r\n550 5.7.1 no' }, two),
  'a refusal right behind the 354, and the end': says(
    { DATA: { text: '354 go\r\n550 5.7.1 no', close: true } },
    two,
  ),
  'LMTP: refusals right behind the 354': saysLmtp(
    { DATA: '354 go\r\n550 5.7.1 a\r\n450 4.7.1 b' },
    two,
  ),
  'LMTP: the end after one of three replies': saysLmtp(
    { '.': ['250 2.0.0 a', { close: true }] },
    { recipients: ['a@example.test', 'b@example.test', 'c@example.test'] },
  ),
  'LMTP: the end after two of three replies': saysLmtp(
    { '.': ['250 2.0.0 a', '550 5.0.0 b', { close: true }] },
    { recipients: ['a@example.test', 'b@example.test', 'c@example.test'] },
  ),
  'LMTP: a reset after one of three replies': saysLmtp(
    { '.': ['250 2.0.0 a', { reset: true }] },
    { recipients: ['a@example.test', 'b@example.test', 'c@example.test'] },
  ),
  'LMTP: 421 after one of three replies': saysLmtp(
    { '.': ['250 2.0.0 a', { text: '421 4.3.2 bye', close: true }] },
    { recipients: ['a@example.test', 'b@example.test', 'c@example.test'] },
  ),
  'too many recipients, 452': says(
    { 'RCPT TO:<c': '452 4.5.3 too many', 'RCPT TO:<d': '452 4.5.3 too many' },
    { recipients: ['a', 'b', 'c', 'd'].map((name) => `${name}@example.test`) },
  ),
  'too many recipients, 452, pipelined': says(
    { 'RCPT TO:<c': '452 4.5.3 too many', 'RCPT TO:<d': '452 4.5.3 too many' },
    { recipients: ['a', 'b', 'c', 'd'].map((name) => `${name}@example.test`) },
    ['PIPELINING'],
  ),
  'too many recipients, 552': says({ 'RCPT TO:<b': '552 5.5.3 too many' }, two),
}
