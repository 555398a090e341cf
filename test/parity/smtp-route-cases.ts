/**
 * smtp-route-cases - lists of servers: many of them, of both families, of several next-hops, and relays to fall back on, for
 * smtp-faults.test
 */
import type { FakeName } from '@posthorn/testing/fake-dns'
import type { Scenario } from './smtp-scenario.ts'

const good = {}
const busy = { replies: { greeting: '421 4.3.2 busy' } }
const gone = { replies: { greeting: '554 5.3.2 gone' } }
const two = { recipients: ['a@example.test', 'b@example.test'] }

/** 'mx1.$d' and so on, each with these addresses. */
function mx(...hosts: readonly (readonly string[])[]): Record<string, FakeName> {
  const names: Record<string, FakeName> = {
    $d: { MX: hosts.map((_, at) => [10 * (at + 1), `mx${at + 1}.$d`] as const) },
  }
  for (const [at, addresses] of hosts.entries()) {
    names[`mx${at + 1}.$d`] = {
      A: addresses.filter((one) => !one.includes(':')),
      AAAA: addresses.filter((one) => one.includes(':')),
    }
  }
  return names
}

function to(nexthop: string, servers: Scenario['servers'], more: Partial<Scenario> = {}): Scenario {
  return { nexthop, ...(servers === undefined ? {} : { servers }), ...two, ...more }
}

const six = ['2001:db8::1', '2001:db8::2', '2001:db8::3']
const preferred = (family: string, more = {}): Partial<Scenario> => ({
  settings: { smtp_address_preference: family, ...more },
})
const noBalance = { smtp_balance_inet_protocols: 'no' }

export const mxLists: Record<string, Scenario> = {
  'seven addresses of one host, the last is good': to(
    '$d',
    { $7: good },
    { names: mx(['$1', '$2', '$3', '$4', '$5', '$6', '$7']) },
  ),
  'seven addresses, as many as one likes': to(
    '$d',
    { $7: good },
    {
      names: mx(['$1', '$2', '$3', '$4', '$5', '$6', '$7']),
      settings: { smtp_mx_address_limit: '0' },
    },
  ),
  'more than a hundred addresses, all dead': to(
    '$d',
    {},
    {
      names: mx(Array.from({ length: 120 }, (_, at) => `127.255.255.${at + 1}`)),
      settings: { smtp_mx_address_limit: '0' },
    },
  ),
  'more than a hundred hosts, the last is good': to(
    '$d',
    { $9: good },
    {
      names: mx(...Array.from({ length: 105 }, (_, at) => [at === 104 ? '$9' : '$8'])),
      settings: { smtp_mx_address_limit: '0' },
    },
  ),
  'the same address under two names': to('$d', { $1: busy }, { names: mx(['$1'], ['$1']) }),
  'the same address twice, then another': to(
    '$d',
    { $1: busy, $2: good },
    { names: mx(['$1'], ['$1'], ['$2']) },
  ),
  'both families, IPv6 preferred': to(
    '$d',
    {},
    { names: mx([...six, '$1', '$2', '$3']), ...preferred('ipv6') },
  ),
  'both families, IPv4 preferred': to(
    '$d',
    {},
    { names: mx([...six, '$1', '$2', '$3']), ...preferred('ipv4') },
  ),
  'both families, IPv6 preferred, not balanced': to(
    '$d',
    {},
    { names: mx([...six, '$1', '$2', '$3']), ...preferred('ipv6', noBalance) },
  ),
  'both families, IPv4 preferred, not balanced': to(
    '$d',
    {},
    { names: mx([...six, '$1', '$2', '$3']), ...preferred('ipv4', noBalance) },
  ),
  'both families, IPv6 preferred, two addresses wanted': to(
    '$d',
    {},
    { names: mx([...six, '$1']), ...preferred('ipv6', { smtp_mx_address_limit: '2' }) },
  ),
  'both families, IPv4 preferred, two addresses wanted': to(
    '$d',
    {},
    {
      names: mx([...six, '$1', '$2', '$3']),
      ...preferred('ipv4', { smtp_mx_address_limit: '2' }),
    },
  ),
  'each host another family': to(
    '$d',
    {},
    { names: mx(['2001:db8::1'], ['$1'], ['2001:db8::2'], ['$2']), ...preferred('ipv4') },
  ),
  'only IPv6, and it is not wanted': to('$d', undefined, {
    names: mx(['2001:db8::1']),
    settings: { inet_protocols: 'ipv4' },
  }),
  'the first host has no address, the second refuses': to(
    '$d',
    { $2: gone },
    { names: mx([], ['$2']) },
  ),
  'no host has an address': to('$d', undefined, { names: mx([], []) }),
  'a null MX and a host that does not exist': to('$d', undefined, {
    names: {
      $d: {
        MX: [
          [0, '.'],
          [10, 'no.$d'],
        ],
      },
    },
  }),
  'two null MX': to('$d', undefined, {
    names: {
      $d: {
        MX: [
          [0, '.'],
          [10, '.'],
        ],
      },
    },
  }),
  'a host that does not exist, then ourselves': to('$d', undefined, {
    names: {
      $d: {
        MX: [
          [10, 'no.$d'],
          [20, 'us.$d'],
        ],
      },
      'us.$d': { A: ['127.0.0.1'] },
    },
  }),
  'SERVFAIL, then ourselves': to('$d', undefined, {
    names: {
      $d: {
        MX: [
          [10, 'broken.$d'],
          [20, 'us.$d'],
        ],
      },
      'broken.$d': 'servfail',
      'us.$d': { A: ['127.0.0.1'] },
    },
  }),
  'ourselves at the same preference as another': to(
    '$d',
    { $1: good },
    {
      names: {
        $d: {
          MX: [
            [10, 'mx.$d'],
            [10, 'us.$d'],
          ],
        },
        'mx.$d': { A: ['$1'] },
        'us.$d': { A: ['127.0.0.1'] },
      },
    },
  ),
  'an MX that is a domain with MX of its own': to(
    '$d',
    { $1: good, $2: good },
    {
      names: {
        $d: { MX: [[10, 'sub.$d']] },
        'sub.$d': { MX: [[10, 'mx.$d']], A: ['$1'] },
        'mx.$d': { A: ['$2'] },
      },
    },
  ),
}

export const nexthops: Record<string, Scenario> = {
  'the first does not exist': to('[no.$d], [$2]', { $2: good }),
  'the first says 4xx': to('[$1], [$2]', { $1: busy, $2: good }),
  'the first says 5xx': to('[$1], [$2]', { $1: gone, $2: good }),
  'the first says 5xx, not skipped': to(
    '[$1], [$2]',
    { $1: gone, $2: good },
    { settings: { smtp_skip_5xx_greeting: 'no' } },
  ),
  'the first resets': to('[$1], [$2]', {
    $1: { replies: { greeting: { reset: true, delayMs: 300 } } },
    $2: good,
  }),
  'the first refuses a recipient': to('[$1], [$2]', {
    $1: { replies: { 'RCPT TO:<a': '550 5.1.1 no' } },
    $2: good,
  }),
  'the first defers a recipient': to('[$1], [$2]', {
    $1: { replies: { 'RCPT TO:<a': '450 4.1.1 no' } },
    $2: good,
  }),
  'the first is ourselves': to(
    '$d, [$2]',
    { $2: good },
    { names: { $d: { MX: [[10, 'us.$d']] }, 'us.$d': { A: ['127.0.0.1'] } } },
  ),
  'the first has a null MX': to('$d, [$2]', { $2: good }, { names: { $d: { MX: [[0, '.']] } } }),
  'the first cannot be looked up': to('$d, [$2]', { $2: good }, { names: { $d: 'servfail' } }),
  'none exists': to('[no.$d], [nor.$d]', undefined),
  'the first cannot be looked up, the second does not exist': to('$d, [no.$d]', undefined, {
    names: { $d: 'servfail' },
  }),
  'the first does not exist, the second cannot be looked up': to('[no.$d], $d', undefined, {
    names: { $d: 'servfail' },
  }),
  'by blanks': to('[$1] [$2]', { $2: good }),
  'with ports': to('[$1]:26, [$2]:27', { other: { address: '$2', port: 27 } }),
  'an empty element': to('[$1],,[$2]', { $2: good }),
  'a bad port': to('[$1]:nonsense, [$2]', { $2: good }, { isAlone: true }),
  'a port too high': to('[$1]:99999', undefined, { isAlone: true }),
  'LMTP: inet: twice': to('inet:[$1], inet:[$2]', { $2: { isLmtp: true } }, { program: 'lmtp' }),
  'LMTP: a name with a port': to(
    'inet:mx.$d:26',
    { other: { address: '$1', port: 26, isLmtp: true } },
    { program: 'lmtp', names: { 'mx.$d': { A: ['$1'] } } },
  ),
}

export const fallbacks: Record<string, Scenario> = {
  'with a port': to(
    '[$1]',
    { other: { address: '$5', port: 26 } },
    { settings: { smtp_fallback_relay: '[$5]:26' } },
  ),
  'by MX': to(
    '[$1]',
    { $5: good },
    {
      names: { 'relay.$d': { MX: [[10, 'mx.$d']] }, 'mx.$d': { A: ['$5'] } },
      settings: { smtp_fallback_relay: 'relay.$d' },
    },
  ),
  'by the old name': to('[$1]', { $5: good }, { settings: { fallback_relay: '[$5]' } }),
  'not after a refusal': to(
    '[$1]',
    { $1: { replies: { RCPT: '550 5.1.1 no' } }, $5: good },
    { settings: { smtp_fallback_relay: '[$5]' } },
  ),
  'after a deferral': to(
    '[$1]',
    { $1: { replies: { RCPT: '450 4.1.1 no' } }, $5: good },
    { settings: { smtp_fallback_relay: '[$5]' } },
  ),
  'refuses too': to(
    '[$1]',
    { $5: { replies: { RCPT: '550 5.1.1 no' } } },
    { settings: { smtp_fallback_relay: '[$5]' } },
  ),
  'is busy too': to('[$1]', { $5: busy }, { settings: { smtp_fallback_relay: '[$5]' } }),
  'one that does not exist, one that does': to(
    '[$1]',
    { $5: good },
    { settings: { smtp_fallback_relay: '[no.$d], [$5]' } },
  ),
  'for LMTP over TCP': to(
    '[$1]',
    { $5: { isLmtp: true } },
    { program: 'lmtp', settings: { lmtp_fallback_relay: '[$5]' } },
  ),
}
