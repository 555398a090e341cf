/**
 * smtp-notices-cases - what the postmaster is told about servers that do not speak SMTP, for smtp.test
 */
import type { Scenario } from './smtp-scenario.ts'

function notified(
  replies: NonNullable<NonNullable<Scenario['servers']>[string]['replies']>,
  more: Partial<Scenario> = {},
  extensions: string[] = [],
): Scenario {
  const settings = { notify_classes: 'protocol', ...more.settings }
  return { servers: { $1: { replies, extensions } }, nexthop: '[$1]', ...more, settings }
}

export const notices: Record<string, Scenario> = {
  'all is well': notified({}),
  'an ordinary refusal': notified({ RCPT: '550 5.1.1 no' }),
  'RCPT 503': notified({ RCPT: '503 5.5.1 bad sequence' }),
  'RCPT 503, pipelined': notified({ RCPT: '503 5.5.1 bad sequence' }, {}, ['PIPELINING']),
  'RCPT 500, several lines': notified({ RCPT: '500-5.5.1 what\r\n500 5.5.1 is that' }),
  'RCPT 555': notified({ RCPT: '555 5.5.4 no' }),
  'MAIL 501': notified({ MAIL: '501 5.5.4 no' }),
  'MAIL 3xx': notified({ MAIL: '354 what' }),
  'DATA 2xx': notified({ DATA: '250 ok' }),
  'dot 502': notified({ '.': '502 5.5.2 no' }),
  'greeting 500': notified({ greeting: '500 5.5.1 no' }),
  'EHLO and HELO 502': notified({ EHLO: '502 no', HELO: '502 no' }),
  'EHLO 502': notified({ EHLO: '502 no' }),
  garbage: notified({ MAIL: 'hm\r\n250 2.1.0 Ok' }),
  'garbage in the greeting': notified({ greeting: 'hm\r\n220 hi' }),
  'long lines': notified({ RCPT: `503 5.5.1 ${'words and more '.repeat(20)}` }),
  'connection lost': notified({ RCPT: { close: true } }),
  'null sender': notified({ RCPT: '503 5.5.1 no' }, { sender: '' }),
  'double-bounce sender': notified(
    { RCPT: '503 5.5.1 no' },
    { sender: 'double-bounce@client.test' },
  ),
  'another recipient': notified(
    { RCPT: '503 5.5.1 no' },
    { settings: { error_notice_recipient: 'admin@example.test' } },
  ),
  'other classes': notified(
    { RCPT: '503 5.5.1 no' },
    { settings: { notify_classes: 'resource, software, data, policy, bounce' } },
  ),
  LMTP: notified({ RCPT: '503 5.5.1 no' }, { program: 'lmtp' }),
  'two hosts': {
    servers: { $1: { replies: { RCPT: '450 4.0.0 no', MAIL: '354 odd' } }, $2: {} },
    nexthop: '[$1], [$2]',
    settings: { notify_classes: 'protocol' },
  },
}
