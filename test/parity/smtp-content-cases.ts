/**
 * smtp-content-cases - what is sent of a message, its envelope and its origin, for smtp.test
 */
import type { Scenario } from './smtp-scenario.ts'

const all = [
  'PIPELINING',
  'SIZE 10240000',
  '8BITMIME',
  'DSN',
  'SMTPUTF8',
  'XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE',
]

function offers(extensions: readonly string[], more: Partial<Scenario> = {}): Scenario {
  return { servers: { $1: { extensions } }, nexthop: '[$1]', ...more }
}

const eightBit = { request: { encoding: '8bit' } }
const utf8 = { smtpUtf8: 1 | 2 | 4 | 8 }
const origin = {
  clientName: 'client name.test',
  clientAddress: '192.0.2.1',
  clientPort: '1234',
  clientProtocol: 'ESMTP',
  clientHelo: 'he+llo=\xe9',
  logIdent: 'ABCDEF',
  rewriteContext: 'remote',
}

const long = 'x'.repeat(1000)
const mime = [
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: 8bit',
  '',
  'caf\xc3\xa9 = 1',
  'trailing \t',
  '\xe9'.repeat(100),
  '',
]
const multipart = [
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="b"',
  'Content-Transfer-Encoding: 8bit',
  '',
  'preamble \xe9',
  '--b',
  'Content-Type: text/plain',
  'Content-Transfer-Encoding: 8bit',
  '',
  '\xe9t\xe9',
  '--b',
  '',
  'plain \xe9',
  '--b',
  'Content-Type: message/rfc822',
  'Content-Transfer-Encoding: 8bit',
  '',
  'Subject: inner',
  'Content-Transfer-Encoding: 8bit',
  '',
  '\xe9',
  '--b--',
  'epilogue \xe9',
]
export const contents: Record<string, Scenario> = {
  'all extensions': offers(all),
  dots: offers([], { lines: ['Subject: x', '', '.', '..', '.x', 'x.', ''] }),
  'an empty message': offers([], { lines: [] }),
  'only headers': offers([], { lines: ['Subject: x'] }),
  'long lines': offers([], {
    lines: ['Subject: x', '', 'y'.repeat(998), 'y'.repeat(999), long.repeat(3), `.${long}`, 'end'],
  }),
  'long lines, short limit': offers([], {
    lines: ['Subject: x', '', '0123456789', '01234567890', `.${'abc'.repeat(10)}`, 'end'],
    settings: { smtp_line_length_limit: '10' },
  }),
  'long lines, no limit': offers([], {
    lines: ['Subject: x', '', long.repeat(3)],
    settings: { smtp_line_length_limit: '0' },
  }),
  'control characters': offers([], {
    lines: ['Subject: x', '', 'a\0b\rc', '\x7f\x1b[1m', '\xff\xfe'],
  }),
  '8-bit, offered': offers(all, { ...eightBit, lines: mime }),
  '8-bit, not offered': offers(['SIZE', 'PIPELINING'], { ...eightBit, lines: mime }),
  '8-bit, not offered, not converted': offers([], {
    ...eightBit,
    lines: mime,
    settings: { disable_mime_output_conversion: 'yes' },
  }),
  '8-bit, not offered, multipart': offers([], { ...eightBit, lines: multipart }),
  '8-bit, not offered, without MIME': offers([], {
    ...eightBit,
    lines: ['Subject: x', '', '\xe9'],
  }),
  '8-bit, not offered, binary': offers([], {
    ...eightBit,
    lines: ['Content-Transfer-Encoding: binary', '', '\xe9'],
  }),
  '8-bit header': offers([], {
    ...eightBit,
    lines: ['Subject: \xe9', 'Content-Transfer-Encoding: 8bit', '', 'x'],
  }),
  'unknown encoding': offers(all, { request: { encoding: 'odd' } }),
  'no encoding': offers(all, { request: { encoding: '' } }),
  'null sender': offers(all, { sender: '' }),
  'addresses that need quotes': offers(all, {
    sender: 'a b@example.test',
    recipients: [
      'x"y@example.test',
      'no domain',
      '"q"@example.test',
      'dot.@example.test',
      'a@b@example.test',
      'bs\\@example.test',
      '@example.test',
      'user@',
    ],
  }),
  'addresses that need quotes, as they are': offers(all, {
    sender: 'a b@example.test',
    recipients: ['x y@example.test'],
    settings: { smtp_quote_rfc821_envelope: 'no' },
  }),
  DSN: offers(all, {
    recipients: [
      {
        recipient: 'a@example.test',
        originalRecipient: 'A+x=y@Example.test',
        notifyFlags: 2 | 4 | 8,
      },
      {
        recipient: 'b@example.test',
        dsnOriginalRecipient: 'rfc822;b+2Bc=d@example.test',
        notifyFlags: 1,
      },
      { recipient: 'c@example.test', originalRecipient: 'c d@example.test' },
    ],
    request: { envelopeId: 'id+=x y', returnFlags: 1 },
  }),
  'DSN headers only': offers(all, { request: { envelopeId: 'x', returnFlags: 2 } }),
  'DSN not offered, success wanted': offers([], {
    recipients: [{ recipient: 'a@example.test', notifyFlags: 2 }],
    request: { envelopeId: 'x', returnFlags: 2 },
  }),
  'DSN offered, success wanted': offers(all, {
    recipients: [{ recipient: 'a@example.test', notifyFlags: 2 }],
  }),
  SMTPUTF8: offers(all, {
    sender: 's\xc3\xa9@example.test',
    recipients: [
      { recipient: '\xc3\xa9@example.test', originalRecipient: '\xc3\xa9+\\@example.test' },
      { recipient: 'b@example.test', dsnOriginalRecipient: 'utf-8;\xc3\xa9@example.test' },
    ],
    request: utf8,
  }),
  'SMTPUTF8, not offered': offers(['8BITMIME'], { request: utf8 }),
  'SMTPUTF8, not offered, not needed': offers(['8BITMIME'], { request: { smtpUtf8: 1 } }),
  'SMTPUTF8, not offered, another server': {
    servers: { $1: {}, $2: { extensions: all } },
    nexthop: '[$1],[$2]',
    request: utf8,
  },
  XFORWARD: offers(all, { request: origin, settings: { smtp_send_xforward_command: 'yes' } }),
  'XFORWARD, in part': offers(['XFORWARD ADDR helo'], {
    request: { ...origin, clientName: 'unknown' },
    settings: { smtp_send_xforward_command: 'yes' },
  }),
  'XFORWARD, nothing known': offers(all, {
    request: { clientName: 'unknown', clientAddress: 'unknown' },
    settings: { smtp_send_xforward_command: 'yes' },
  }),
  'XFORWARD refused': {
    servers: { $1: { extensions: all, replies: { XFORWARD: '501 5.5.4 no' } } },
    nexthop: '[$1]',
    request: origin,
    settings: { smtp_send_xforward_command: 'yes' },
  },
  'XFORWARD refused, one by one': {
    servers: {
      $1: { extensions: ['XFORWARD NAME PROTO'], replies: { XFORWARD: { close: true } } },
    },
    nexthop: '[$1]',
    request: origin,
    settings: { smtp_send_xforward_command: 'yes' },
  },
  'flags=DOR': offers(all, {
    args: 'flags=DOR',
    recipients: [{ recipient: 'a b@example.test', originalRecipient: 'orig@example.test' }],
  }),
  'flags=DOR, null sender': offers(all, { args: 'flags=DOR', sender: '' }),
  'flags=D, a loop': offers(all, {
    args: 'flags=D',
    lines: ['Delivered-To: To@Example.Test', '', 'x'],
  }),
  'flags=D, two recipients': offers(all, {
    args: 'flags=D',
    recipients: ['a@example.test', 'b@example.test'],
  }),
  'many recipients, pipelined': offers(all, {
    recipients: Array.from({ length: 200 }, (_, at) => `recipient-number-${at}@example.test`),
  }),
  'replies of several lines': {
    servers: { $1: { replies: { '.': '250-2.0.0 Ok\r\n250-more\r\n250 2.6.0 last' } } },
    nexthop: '[$1]',
  },
  'odd characters in a reply': {
    servers: { $1: { replies: { '.': '250 2.0.0 a\tb\x01\xe9\xc3\xa9' } } },
    nexthop: '[$1]',
  },
  'a long reply': {
    servers: { $1: { replies: { '.': `550 5.1.1 ${'x'.repeat(1800)}` } } },
    nexthop: '[$1]',
  },
  'a reply that is too long': {
    servers: { $1: { replies: { '.': `550 5.1.1 ${'x'.repeat(5000)}` } } },
    nexthop: '[$1]',
  },
  'a reply of too many lines': {
    servers: {
      $1: {
        replies: {
          '.': `${'550-5.1.1 some text to fill the line\r\n'.repeat(100)}550 5.1.1 end`,
        },
      },
    },
    nexthop: '[$1]',
  },
  'a reply with bare line ends': {
    servers: { $1: { replies: { '.': '550-5.1.1 one\n550-5.1.1 two\r\r\n550 5.1.1 three' } } },
    nexthop: '[$1]',
  },
  'a reply without text': { servers: { $1: { replies: { '.': '250' } } }, nexthop: '[$1]' },
  'delivery status filter': {
    servers: {
      $1: {
        replies: {
          'RCPT TO:<a': '550 5.1.1 no',
          'RCPT TO:<b': '450 4.1.1 no',
          'RCPT TO:<c': '550 5.1.2 no',
        },
      },
    },
    nexthop: '[$1]',
    recipients: ['a@example.test', 'b@example.test', 'c@example.test', 'd@example.test'],
    settings: {
      smtp_delivery_status_filter:
        'regexp:{{/^5.1.1 / 4.1.1 filtered} {/^4.1.1 / 5.1.1 filtered} {/^2/ 4.0.0 x} {/^5.1.2/ bad}}',
    },
  },
  'recorded (sendmail -v)': {
    servers: { $1: { replies: { 'RCPT TO:<b': '550 5.1.1 no', 'RCPT TO:<c': '450 4.1.1 no' } } },
    nexthop: '[$1]',
    recipients: ['a@example.test', 'b@example.test', 'c@example.test'],
    request: { flags: 1 | 1024 },
  },
}
