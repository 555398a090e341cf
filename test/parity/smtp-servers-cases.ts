/**
 * smtp-servers-cases - which servers of a destination are tried, in which order and how often, for smtp.test
 */
import type { Scenario } from './smtp-scenario.ts'

const good = {}
const busy = { replies: { greeting: '421 4.3.2 busy' } }
const greylisting = { replies: { 'RCPT TO': '450 4.7.1 come back' } }
const to = (n: number): { recipients: string[] } => ({
  recipients: Array.from({ length: n }, (_, at) => `${'abcdef'.charAt(at)}@example.test`),
})

const names = {
  $d: {
    MX: [
      [10, 'mx1.$d'],
      [20, 'mx2.$d'],
      [30, 'mx3.$d'],
    ] as [number, string][],
  },
  'mx1.$d': { A: ['$1'] },
  'mx2.$d': { A: ['$2'] },
  'mx3.$d': { A: ['$3'] },
}
const mx = { names, nexthop: '$d' }
export const servers: Record<string, Scenario> = {
  'the first is dead': { ...mx, servers: { $2: good, $3: good } },
  'the first says 4xx': { ...mx, servers: { $1: busy, $2: good, $3: good } },
  'the first says 5xx': {
    ...mx,
    servers: { $1: { replies: { greeting: '554 no' } }, $2: good, $3: good },
  },
  'the first hangs up': {
    ...mx,
    servers: { $1: { replies: { greeting: { close: true } } }, $2: good, $3: good },
  },
  'the first greylists': { ...mx, servers: { $1: greylisting, $2: good, $3: good }, ...to(2) },
  'two greylist': { ...mx, servers: { $1: greylisting, $2: greylisting, $3: good }, ...to(2) },
  'two greylist, three sessions': {
    ...mx,
    servers: { $1: greylisting, $2: greylisting, $3: good },
    ...to(2),
    settings: { smtp_mx_session_limit: '3' },
  },
  'one session': {
    ...mx,
    servers: { $1: greylisting, $2: good, $3: good },
    ...to(2),
    settings: { smtp_mx_session_limit: '1' },
  },
  'any number of sessions': {
    ...mx,
    servers: { $1: greylisting, $2: greylisting, $3: good },
    ...to(2),
    settings: { smtp_mx_session_limit: '0' },
  },
  'two addresses': { ...mx, servers: { $3: good }, settings: { smtp_mx_address_limit: '2' } },
  'one address': { ...mx, servers: { $2: good }, settings: { smtp_mx_address_limit: '1' } },
  'any number of addresses': {
    ...mx,
    servers: { $3: good },
    settings: { smtp_mx_address_limit: '0' },
  },
  'all dead': mx,
  'all busy': { ...mx, servers: { $1: busy, $2: busy, $3: busy } },
  'each takes one': {
    ...mx,
    servers: {
      $1: { replies: { 'RCPT TO:<b': '450 4.2.0 b', 'RCPT TO:<c': '450 4.2.0 c' } },
      $2: { replies: { 'RCPT TO:<c': '450 4.2.0 c' } },
      $3: good,
    },
    ...to(3),
    settings: { smtp_mx_session_limit: '5' },
  },
  'mixed: taken, refused, later': {
    ...mx,
    servers: {
      $1: { replies: { 'RCPT TO:<b': '550 5.1.1 b', 'RCPT TO:<c': '450 4.2.0 c' } },
      $2: { replies: { 'RCPT TO:<c': '550 5.1.1 c' } },
    },
    ...to(3),
  },
  'MAIL deferred, then a good one': {
    ...mx,
    servers: { $1: { replies: { MAIL: '451 4.3.0 no' } }, $2: good },
    ...to(2),
  },
  'dot deferred, then a good one': {
    ...mx,
    servers: { $1: { replies: { '.': '451 4.3.0 no' } }, $2: good },
    ...to(2),
  },
  'dot lost, then a good one': {
    ...mx,
    servers: { $1: { replies: { '.': { close: true } } }, $2: good },
    ...to(2),
  },
  'RCPT lost in the middle': {
    ...mx,
    servers: { $1: { replies: { 'RCPT TO:<b': { close: true } } }, $2: good },
    ...to(3),
  },
  'RCPT lost in the middle, pipelined': {
    ...mx,
    servers: {
      $1: { extensions: ['PIPELINING'], replies: { 'RCPT TO:<b': { close: true } } },
      $2: good,
    },
    ...to(3),
  },
  'two addresses of one host': {
    names: { $d: { MX: [[10, 'mx.$d']] }, 'mx.$d': { A: ['$1', '$2'] } },
    servers: { $2: good },
    nexthop: '$d',
  },
  'soft_bounce, 5xx then a good one': {
    ...mx,
    servers: { $1: { replies: { 'RCPT TO': '550 5.1.1 no' } }, $2: good },
    settings: { soft_bounce: 'yes' },
  },
  'soft_bounce, all 5xx': {
    servers: { $1: { replies: { 'RCPT TO': '550 5.1.1 no' } } },
    nexthop: '[$1]',
    settings: { soft_bounce: 'yes' },
  },
  'fallback relay': { ...mx, servers: { $5: good }, settings: { smtp_fallback_relay: '[$5]' } },
  'fallback relay, name does not exist': {
    nexthop: 'no.$d',
    servers: { $5: good },
    settings: { smtp_fallback_relay: '[$5]' },
  },
  'fallback relay is bad': { nexthop: 'no.$d', settings: { smtp_fallback_relay: '[bad.$d]' } },
  'two fallback relays': {
    ...mx,
    servers: { $5: busy, $6: good },
    settings: { smtp_fallback_relay: '[$5] [$6]' },
  },
  'relayhost does not exist': { nexthop: '[relay.$d]', settings: { relayhost: '[relay.$d]' } },
  'relayhost, refused recipient': {
    servers: { $1: { replies: { 'RCPT TO': '550 5.1.1 no' } } },
    nexthop: '[$1]',
    settings: { relayhost: '[$1]' },
  },
  'loop: our own address': {
    names: { $d: { MX: [[10, 'mx.$d']] }, 'mx.$d': { A: ['127.0.0.1'] } },
    nexthop: '$d',
  },
  'loop: our own address is second': {
    names: {
      $d: {
        MX: [
          [10, 'mx1.$d'],
          [20, 'mx2.$d'],
          [30, 'mx3.$d'],
        ],
      },
      'mx1.$d': { A: ['$1'] },
      'mx2.$d': { A: ['127.0.0.1'] },
      'mx3.$d': { A: ['$3'] },
    },
    servers: { $3: good },
    nexthop: '$d',
  },
  'loop: the best one is not found': {
    names: {
      $d: {
        MX: [
          [10, 'mx.no.$d'],
          [20, 'mx2.$d'],
        ],
      },
      'mx2.$d': { A: ['127.0.0.1'] },
    },
    nexthop: '$d',
  },
  'loop: without MX': { names: { $d: { A: ['127.0.0.1'] } }, nexthop: '$d' },
  'loop: best_mx_transport': {
    names: { $d: { A: ['127.0.0.1'] } },
    nexthop: '$d',
    ...to(2),
    settings: { best_mx_transport: 'error:5.1.2 not here' },
  },
  'loop: best_mx_transport delivers': {
    names: { $d: { A: ['127.0.0.1'] } },
    nexthop: '$d',
    ...to(2),
    settings: { best_mx_transport: 'discard' },
  },
  'loop: in brackets': { nexthop: '[127.0.0.1]' },
  'loop: proxy_interfaces': {
    names: { $d: { A: ['$1'] } },
    servers: { $1: good },
    nexthop: '$d',
    settings: { proxy_interfaces: '$1' },
  },
  'loop: not on another port': {
    nexthop: '[127.0.0.1]:29',
    servers: { '127.0.0.1': { address: '127.0.0.1', port: 29 } },
  },
  'loop, with a fallback relay': {
    names: { $d: { A: ['127.0.0.1'] } },
    servers: { $5: good },
    nexthop: '$d',
    settings: { smtp_fallback_relay: '[$5]' },
  },
  'connect: times out': { nexthop: '[192.0.2.1]' },
  'bind address': {
    servers: { $1: good },
    nexthop: '[$1]',
    settings: { smtp_bind_address: '127.0.0.77' },
  },
  'bind address that is not ours': {
    servers: { $1: good },
    nexthop: '[$1]',
    settings: { smtp_bind_address: '192.0.2.77' },
  },
  'bind address that is not ours, enforced': {
    servers: { $1: good },
    nexthop: '[$1]',
    settings: { smtp_bind_address: '192.0.2.77', smtp_bind_address_enforce: 'yes' },
  },
  'all recipients refused, then deferred': {
    ...mx,
    servers: {
      $1: { replies: { 'RCPT TO:<a': '550 5.1.1 a', 'RCPT TO:<b': '450 4.2.0 b' } },
      $2: { replies: { 'RCPT TO:<b': { close: true } } },
    },
    ...to(2),
  },
  probe: {
    servers: { $1: { replies: { 'RCPT TO:<b': '550 5.1.1 b', 'RCPT TO:<c': '450 4.2.0 c' } } },
    nexthop: '[$1]',
    ...to(3),
    request: { flags: 1 | 512 },
  },
  'probe up to DATA': {
    servers: { $1: { replies: { 'RCPT TO:<b': '550 5.1.1 b' } } },
    nexthop: '[$1]',
    ...to(2),
    request: { flags: 1 | 512 },
    settings: { smtp_address_verify_target: 'data' },
  },
  'probe up to DATA, refused': {
    servers: { $1: { replies: { DATA: '550 5.1.1 b' } } },
    nexthop: '[$1]',
    ...to(2),
    request: { flags: 1 | 512 },
    settings: { smtp_address_verify_target: 'data' },
  },
}
