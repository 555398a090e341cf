/**
 * smtp-small-content-cases - small print of smtp(8) and lmtp(8), for smtp.test: what is sent of a message, and what the postmaster hears
 */
import { lmtp, one, type Replies } from './smtp-details-cases.ts'
import type { Scenario } from './smtp-scenario.ts'

/** What Postfix has sent when it gives up is what its buffer had no room for. */
const isCut = {
  allowSent: (octets: string): string => octets.slice(0, octets.indexOf('DATA')),
}

const two = ['one@example.test', 'two@example.test']

/** Content that no socket buffer holds as a whole. */
const bulk = ['Subject: bulk', '', ...Array.from({ length: 120_000 }, () => 'x'.repeat(70))]

function nested(levels: number): string[] {
  const lines = ['Subject: nested']
  for (let level = 1; level <= levels; level++) {
    lines.push(`Content-Type: multipart/mixed; boundary=b${level}`, '', `--b${level}`)
  }
  return [...lines, '', 'inside']
}

const eightBit = { request: { encoding: '8bit' } } as const

function attached(type: string): string[] {
  return [
    'Mime-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    'Content-Transfer-Encoding: 8bit',
    '',
    '--b',
    `Content-Type: ${type}`,
    'Content-Transfer-Encoding: 8bit',
    '',
    'Subject: inner \xc3\xbc',
    'Content-Transfer-Encoding: 8bit',
    '',
    'text \xc3\xbc',
    '--b--',
  ]
}

export const contentDetails: Record<string, Scenario> = {
  'LMTP: hangs up in the middle of the content, one reply': lmtp(
    {},
    { lines: bulk, recipients: two },
    { DATA: { text: '354 go\r\n550 5.7.1 not this', reset: true } },
  ),
  'SMTP: hangs up in the middle of the content, one reply': one(
    {},
    { lines: bulk, recipients: two },
    { DATA: { text: '354 go\r\n550 5.7.1 not this', reset: true } },
  ),
  'LMTP: hangs up in the middle of the content, two replies': lmtp(
    {},
    { lines: bulk, recipients: two },
    { DATA: { text: '354 go\r\n550 5.7.1 not this\r\n250 2.0.0 but this', reset: true } },
  ),
  'nesting at the limit, converted': one(
    { mime_nesting_limit: '2' },
    { lines: nested(4), ...eightBit },
    {},
    [],
  ),
  'nesting beyond the limit, converted': one(
    { mime_nesting_limit: '2' },
    { lines: nested(5), ...eightBit, ...isCut },
    {},
    [],
  ),
  'nesting, header checks': one(
    { mime_nesting_limit: '2', smtp_header_checks: 'regexp:{{/^X-/ IGNORE}}' },
    { lines: nested(9) },
  ),
  'nesting, generic maps': one(
    { mime_nesting_limit: '2', smtp_generic_maps: 'inline:{a@b=c@d}' },
    { lines: nested(9), recipients: two },
  ),
  'nesting, nothing to change': one({ mime_nesting_limit: '2' }, { lines: nested(9) }),
  'message/global, converted': one({}, { lines: attached('message/global'), ...eightBit }, {}, []),
  'message/rfc822, converted': one({}, { lines: attached('message/rfc822'), ...eightBit }, {}, []),
  'message/partial, converted': one(
    {},
    { lines: attached('message/partial'), ...eightBit },
    {},
    [],
  ),
  'boundaries that are too long': one(
    { mime_boundary_length_limit: '3' },
    {
      lines: [
        'Content-Type: multipart/mixed; boundary=abcdef',
        '',
        '--abcxyz',
        'Content-Transfer-Encoding: 8bit',
        '',
        'text \xfc',
        '--abc--',
        'epilogue \xfc',
      ],
      ...eightBit,
    },
    {},
    [],
  ),
}

const part = [
  'Mime-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain',
  '',
  'text',
  '--b',
  'Content-Type: message/rfc822',
  '',
  'Subject: inner',
  '',
  'inside',
  '--b--',
]
for (const which of ['mime_header', 'nested_header', 'body']) {
  const settings = {
    [`lmtp_${which}_checks`]: 'regexp:{{/^(Content-Type: text|Subject|inside)/ REPLACE X-Was: it}}',
  }
  contentDetails[`LMTP: ${which} checks`] = lmtp(settings, { lines: part })
}

export const noticeDetails: Record<string, Scenario> = {
  'From: of a notice, old form': one(
    { header_from_format: 'obsolete', notify_classes: 'protocol' },
    {},
    { RCPT: '503 5.5.1 bad sequence' },
  ),
}
const classes = { notify_classes: 'bounce,2bounce,data,delay,policy,resource,software' }
for (const [what, replies] of Object.entries<Replies>({
  'RCPT 550 5.7.1': { RCPT: '550 5.7.1 policy' },
  'RCPT 452': { RCPT: '452 4.3.1 no space' },
  'greeting 421': { greeting: '421 4.3.2 not now' },
  'hang-up at MAIL': { MAIL: { close: true } },
  'hang-up in the greeting': { greeting: { close: true } },
})) {
  noticeDetails[what] = one(classes, {}, replies)
}
noticeDetails['replies that are filtered'] = one(
  { ...classes, notify_classes: 'protocol', smtp_reply_filter: 'regexp:{{/^250 .*RCPT/ 503 so}}' },
  {},
  { RCPT: '250 2.1.5 RCPT ok' },
)
noticeDetails['a table fails'] = one({ ...classes, smtp_reply_filter: 'fail:broken' })
noticeDetails['no server'] = one(classes, { servers: {} })
