/**
 * smtp-greeting-cases - what servers say before the first message, for smtp.test
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

export const greetings: Record<string, Scenario> = {
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
  'STARTTLS offered': says({}, { settings: { smtp_tls_note_starttls_offer: 'yes' } }, ['STARTTLS']),
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
}
