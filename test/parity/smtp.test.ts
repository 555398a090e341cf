/**
 * smtp.test - the SMTP dialogue of smtp(8): what servers may say, and what follows from it, in Postfix and in Posthorn
 */
import { compareDeliveries, type Scenario } from './smtp-delivery.ts'
import t from 'tap'

t.setTimeout(120_000)

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

t.test('greeting and EHLO', async (t) => {
  await compareDeliveries(t, {
    'all is well': says({}),
    'greeting 4xx': says({ greeting: '421 4.3.2 busy' }),
    'greeting 5xx': says({ greeting: '554 5.7.1 no' }),
    'greeting 5xx, not skipped': says(
      { greeting: '554 5.7.1 no' },
      { settings: { smtp_skip_5xx_greeting: 'no' } },
    ),
    'greeting 1xx': says({ greeting: '120 later' }),
    'greeting 3xx': says({ greeting: '354 3.0.0 what' }),
    'greeting garbage, then the end': says({ greeting: { text: 'hello there', close: true } }),
    'greeting garbage, then a reply': says({ greeting: 'hello there\r\n220 peer.test' }),
    'greeting of several lines': says({ greeting: '220-peer.test\r\n220-say hello\r\n220 now' }),
    'greeting: hangs up': says({ greeting: { close: true } }),
    'greeting: nothing': says(
      { greeting: { delayMs: 60_000 } },
      { settings: { smtp_helo_timeout: '1s' } },
    ),
    'greeting is our own name': says({ greeting: '220 client.test ESMTP' }),
    'greeting without ESMTP': says(
      { greeting: '220 peer.test' },
      { settings: { smtp_always_send_ehlo: 'no' } },
    ),
    'never EHLO': says({}, { settings: { smtp_never_send_ehlo: 'yes' } }),
    'EHLO 502': says({ EHLO: '502 5.5.1 what' }),
    'EHLO 421': says({ EHLO: '421 4.3.2 going' }),
    'EHLO 450': says({ EHLO: '450 4.3.2 not now' }),
    'EHLO and HELO refused': says({ EHLO: '502 5.5.1 what', HELO: '550 5.7.1 no' }),
    'EHLO and HELO deferred': says({ EHLO: '502 5.5.1 what', HELO: '450 4.7.1 no' }),
    'EHLO: hangs up': says({ EHLO: { close: true } }),
    'HELO: hangs up': says({ EHLO: '500 no', HELO: { close: true } }),
    'EHLO: nothing': says({ EHLO: { delayMs: 60_000 } }, { settings: { smtp_helo_timeout: '1s' } }),
    'EHLO says our own name': says({ EHLO: '250 client.test' }),
    'EHLO garbage': says({ EHLO: 'well\r\n250-peer.test\r\nhm\r\n250 SIZE' }),
    'EHLO odd keywords': says({
      EHLO: '250-peer.test hi\r\n250-size=1000000\r\n250-PIPElining now\r\n250-8bitMIME\r\n250-XFOO BAR\r\n250 \r\n',
    }),
    'EHLO keywords cannot be looked up': says(
      {},
      { settings: { smtp_discard_ehlo_keyword_address_maps: 'fail:broken' } },
    ),
    'PIX cannot be looked up': says(
      { greeting: '220 **2***0***' },
      { settings: { smtp_pix_workaround_maps: 'fail:broken' } },
    ),
    'smtp_reply_filter fails': says({}, { settings: { smtp_reply_filter: 'fail:broken' } }),
    'smtp_reply_filter fails late': says(
      {},
      { settings: { smtp_reply_filter: 'pipemap:{regexp:{{/queued/ x}},fail:broken}' } },
    ),
    'EHLO bad SIZE': says({}, {}, ['SIZE ten']),
    'EHLO SIZE 0': says({}, {}, ['SIZE 0']),
    'EHLO SIZE negative': says({}, {}, ['SIZE -1']),
    'EHLO SIZE with more': says({}, {}, ['SIZE 100 200']),
    'EHLO SIZE huge': says({}, {}, ['SIZE 99999999999999999999']),
    'EHLO keywords discarded': says(
      {},
      { settings: { smtp_discard_ehlo_keywords: 'pipelining, dsn smtputf8 size' } },
      ['PIPELINING', 'DSN', 'SIZE 100'],
    ),
    'EHLO keywords discarded silently, by address': says(
      {},
      {
        settings: {
          smtp_discard_ehlo_keyword_address_maps: 'inline:{{$1=silent-discard,pipelining}}',
        },
      },
      ['PIPELINING', 'DSN', 'SIZE 100'],
    ),
    'SIZE too small': says({}, {}, ['SIZE 10']),
    'SIZE too small, another server': {
      servers: { $1: { extensions: ['SIZE 10'] }, $2: {} },
      nexthop: '[$1],[$2]',
    },
    'SMTPUTF8 without 8BITMIME': says({}, {}, ['SMTPUTF8']),
    'STARTTLS offered': says({}, { settings: { smtp_tls_note_starttls_offer: 'yes' } }, [
      'STARTTLS',
    ]),
    'PIX: no ESMTP': says({ greeting: '220 *******************************' }),
    'PIX by maps': says(
      { greeting: '220 **2***0***' },
      { settings: { smtp_pix_workaround_maps: 'inline:{$1=disable_esmtp}' } },
    ),
    smtp_helo_name: says({}, { settings: { smtp_helo_name: 'somebody.test' } }),
    smtp_reply_filter: says(
      { greeting: '550 5.0.0 No', '.': '450 hm' },
      { settings: { smtp_reply_filter: 'regexp:{{/^550 5.0.0 No$$/ 220 Yes} {/^450 h/ 250 ha}}' } },
    ),
  })
})

t.test('envelope', async (t) => {
  const commands = { 'MAIL FROM': 'MAIL', 'RCPT TO': 'RCPT', DATA: 'DATA', 'end of data': '.' }
  const scenarios: Record<string, Scenario> = {}
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
        scenarios[`${name} ${what}${kind}`] = says(reply, { ...three, ...more }, [...extensions])
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
  await compareDeliveries(t, scenarios)
})

t.test('time', async (t) => {
  const never = { delayMs: 60_000 }
  const second = (name: string): Partial<Scenario> => ({ settings: { [name]: '1s' }, ...three })
  await compareDeliveries(t, {
    'MAIL is not answered': says({ MAIL: never }, second('smtp_mail_timeout')),
    'RCPT is not answered': says({ 'RCPT TO:<b': never }, second('smtp_rcpt_timeout')),
    'RCPT is not answered, pipelined': says(
      { 'RCPT TO:<b': never },
      second('smtp_rcpt_timeout'),
      PIPELINING,
    ),
    'DATA is not answered': says({ DATA: never }, second('smtp_data_init_timeout')),
    'the dot is not answered': says({ '.': never }, second('smtp_data_done_timeout')),
    'RSET is not answered': says(
      { RCPT: '550 5.1.1 no', RSET: never },
      second('smtp_rset_timeout'),
    ),
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
  })
})
