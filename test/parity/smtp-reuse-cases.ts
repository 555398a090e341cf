/**
 * smtp-reuse-cases - which connections are kept, found again and given up; each scenario is several deliveries with scache(8) between, for smtp.test
 */
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import type { Scenario } from './smtp-scenario.ts'

const { success, connectionLoad: load, connectionStore: store } = DELIVERY_FLAGS

function kept(more: Partial<Scenario>): Scenario {
  return {
    servers: { $1: { extensions: ['PIPELINING'] } },
    nexthop: '[$1]',
    times: 3,
    isSingle: true,
    request: { flags: success | load | store },
    ...more,
  }
}

function replies(
  script: NonNullable<NonNullable<Scenario['servers']>[string]['replies']>,
  more: Partial<Scenario> = {},
): Scenario {
  return kept({ servers: { $1: { replies: script, extensions: ['PIPELINING'] } }, ...more })
}

const names = {
  $d: {
    MX: [
      [10, 'mx1.$d'],
      [20, 'mx2.$d'],
    ] as [number, string][],
  },
  'mx1.$d': { A: ['$1'] },
  'mx2.$d': { A: ['$2'] },
  'other.$d': { MX: [[10, 'mx2.$d']] as [number, string][] },
}

/** Without smtp_skip_quit_response Postfix, which says no QUIT then, waits for the answer to it all the same. */
const withoutGoodbye: Partial<Scenario> = { settings: { smtp_skip_quit_response: 'yes' } }

export const reuse: Record<string, Scenario> = {
  'on demand': kept({}),
  'without PIPELINING': kept({ servers: { $1: {} } }),
  'with all extensions': kept({
    servers: {
      $1: { extensions: ['PIPELINING', 'SIZE 1000000', '8BITMIME', 'DSN', 'SMTPUTF8'] },
    },
  }),
  'not asked for': kept({ request: { flags: success } }),
  'on demand, but not wanted': kept({ settings: { smtp_connection_cache_on_demand: 'no' } }),
  'may look, not keep': kept({ request: { flags: success | load } }),
  'may keep, not look': kept({ request: { flags: success | store } }),
  'by destination': kept({
    request: { flags: success },
    settings: { smtp_connection_cache_destinations: '$1' },
  }),
  'by destination, another one': kept({
    request: { flags: success },
    settings: { smtp_connection_cache_destinations: 'example.com' },
  }),
  'by destination, all': kept({
    request: { flags: success },
    names,
    servers: { $1: {} },
    nexthop: '$d',
    settings: { smtp_connection_cache_destinations: 'static:all' },
  }),
  'used once more at most': kept({
    times: 4,
    settings: { smtp_connection_reuse_count_limit: '1' },
  }),
  'time is over': replies(
    { '.': { text: '250 2.0.0 Ok', delayMs: 2300 } },
    { settings: { smtp_connection_reuse_time_limit: '1s' } },
  ),
  'the first server is dead': kept({ names, nexthop: '$d', servers: { $2: {} } }),
  'another destination, the same server': kept({
    names,
    nexthop: '',
    nexthops: ['$d', 'other.$d', '$d'],
    servers: { $2: {} },
  }),
  'another port': kept({
    nexthop: '',
    nexthops: ['[$1]', '[$1]:26', '[$1]'],
    servers: { $1: {}, other: { address: '$1', port: 26 } },
  }),
  'the server hangs up after each message': replies({
    '.': { text: '250 2.0.0 Ok', close: true },
  }),
  'RSET refused': replies({ RSET: '500 5.5.1 what' }),
  'RSET: hangs up': replies({ RSET: { close: true } }),
  'RSET: 421': replies({ RSET: { text: '421 4.4.2 idle for too long', close: true } }),
  'MAIL: 421': replies({ MAIL: ['250 2.1.0 Ok', '421 4.4.2 bye'] }),
  'MAIL: hangs up the second time': replies({
    MAIL: ['250 2.1.0 Ok', { close: true }, '250 2.1.0 Ok'],
  }),
  'recipients refused': replies({ RCPT: '550 5.1.1 no' }),
  'recipients refused with a code of no use': replies({ RCPT: '503 5.5.1 no' }, withoutGoodbye),
  'recipients deferred': replies({ RCPT: '450 4.2.0 no' }),
  'MAIL deferred': replies({ MAIL: '450 4.2.0 no' }),
  'message refused at the end': replies({ '.': '550 5.7.1 no' }),
  'garbage among the replies': replies({ MAIL: 'hm\r\n250 2.1.0 Ok' }, withoutGoodbye),
  'greeting deferred the second time': replies(
    { greeting: ['220 peer.test ESMTP', '421 4.3.2 no'] },
    { settings: { smtp_connection_reuse_count_limit: '1' } },
  ),
  'size is not looked at again': kept({
    servers: { $1: { extensions: ['SIZE 500'] } },
    lines: ['Subject: x', '', 'x'.repeat(300)],
  }),
  probes: kept({ request: { flags: success | load | store | 512 } }),
  'LMTP over a Unix socket': kept({
    program: 'lmtp',
    servers: { unix: { path: '$dir/reuse', isLmtp: true } },
    nexthop: 'unix:$dir/reuse',
  }),
  'LMTP over TCP': kept({ program: 'lmtp', servers: { $1: { isLmtp: true } } }),
}
