/**
 * smtp-time-cases - servers that do not answer, for smtp.test
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

const never = { delayMs: 60_000 }
const second = (name: string): Partial<Scenario> => ({ settings: { [name]: '1s' }, ...three })
export const times: Record<string, Scenario> = {
  'MAIL is not answered': says({ MAIL: never }, second('smtp_mail_timeout')),
  'RCPT is not answered': says({ 'RCPT TO:<b': never }, second('smtp_rcpt_timeout')),
  'RCPT is not answered, pipelined': says(
    { 'RCPT TO:<b': never },
    second('smtp_rcpt_timeout'),
    PIPELINING,
  ),
  'DATA is not answered': says({ DATA: never }, second('smtp_data_init_timeout')),
  'the dot is not answered': says({ '.': never }, second('smtp_data_done_timeout')),
  'RSET is not answered': says({ RCPT: '550 5.1.1 no', RSET: never }, second('smtp_rset_timeout')),
  'XFORWARD is not answered': says(
    { XFORWARD: never },
    {
      settings: { smtp_xforward_timeout: '1s', smtp_send_xforward_command: 'yes' },
      request: { clientName: 'a.test' },
    },
    ['XFORWARD NAME'],
  ),
  'QUIT is not answered': says({ QUIT: never }, second('smtp_quit_timeout')),
  'QUIT is not answered, and not waited for': says(
    { QUIT: never },
    { settings: { smtp_skip_quit_response: 'yes' } },
  ),
  'QUIT: hangs up': says({ QUIT: { close: true } }),
  'QUIT: refused': says({ QUIT: '500 5.5.1 no' }),
  'another server after silence': {
    servers: { $1: { replies: { MAIL: never } }, $2: {} },
    nexthop: '[$1], [$2]',
    settings: { smtp_mail_timeout: '1s' },
  },
  'a whole request has a deadline': says(
    { RCPT: never },
    { settings: { smtp_rcpt_timeout: '1s', smtp_per_request_deadline: 'yes' } },
  ),
}
