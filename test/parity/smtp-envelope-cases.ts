/**
 * smtp-envelope-cases - replies to MAIL, RCPT, DATA and the end of content, for smtp.test
 */
import type { Scenario } from './smtp-scenario.ts'

/** One server, one message. */
function says(
  replies: NonNullable<Scenario['servers']>[string]['replies'],
  more: Partial<Scenario> = {},
  extensions: string[] = [],
): Scenario {
  return { servers: { $1: { replies: replies ?? {}, extensions } }, nexthop: '[$1]', ...more }
}

const PIPELINING = ['PIPELINING']
const three = { recipients: ['a@example.test', 'b@example.test', 'c@example.test'] }

const commands = { 'MAIL FROM': 'MAIL', 'RCPT TO': 'RCPT', DATA: 'DATA', 'end of data': '.' }
export const envelopes: Record<string, Scenario> = {}
for (const [name, command] of Object.entries(commands)) {
  for (const [kind, extensions] of [
    ['', []],
    [', pipelined', PIPELINING],
  ] as const) {
    const case_ = (
      what: string,
      reply: NonNullable<Scenario['servers']>[string]['replies'],
      more = {},
    ): void => {
      envelopes[`${name} ${what}${kind}`] = says(reply, { ...three, ...more }, [...extensions])
    }
    case_('5xx', { [command]: '550 5.1.1 no' })
    case_('4xx', { [command]: '450 4.2.0 later' })
    case_('4xx without enhanced code', { [command]: '450 later' })
    case_('enhanced code of another class', { [command]: '550 4.2.0 what' })
    case_('421 and the end', { [command]: { text: '421 4.3.2 bye', close: true } })
    case_('hangs up', { [command]: { close: true } })
    case_('garbage and the end', { [command]: { text: 'what?', close: true } })
    case_('several lines', {
      [command]: '550-5.1.1 no\r\n550-5.1.2 not at all\r\n550 5.1.3 never',
    })
    case_('3xx', { [command]: '399 odd' })
    case_('2xx', { [command]: '299 odd' })
  }
}
