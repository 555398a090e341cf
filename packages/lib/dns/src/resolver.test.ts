import t from 'tap'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { Resolver } from './resolver.ts'

async function world(
  test: { teardown: (undo: () => Promise<void>) => unknown },
  names: Parameters<typeof FakeDns.start>[0],
  options?: Parameters<typeof FakeDns.start>[1],
  search: readonly string[] = ['sub.test'],
): Promise<{ dns: FakeDns; resolver: Resolver }> {
  const dns = await FakeDns.start(names, options)
  test.teardown(async () => dns.close())
  return { dns, resolver: new Resolver({ servers: [dns.server], timeoutMs: 200, search }) }
}

t.test('Resolver.query() finds every type of record', async (t) => {
  const { resolver } = await world(t, {
    'a.test': {
      A: ['192.0.2.1', '192.0.2.2'],
      AAAA: ['2001:db8::1'],
      MX: [[10, 'mx.test']],
      TXT: ['hello'],
      PTR: ['host.test'],
    },
    '_submission._tcp.a.test': { SRV: [[1, 2, 587, 'mx.test']] },
    '_25._tcp.mx.test': { TLSA: [[3, 1, 1, 'abcd']] },
  })
  const a = await resolver.query('A.test.', 'A')
  t.match(a, { kind: 'found', isSecure: false })
  if (a.kind === 'found')
    t.same(
      a.records.map((record) => record.address),
      ['192.0.2.1', '192.0.2.2'],
    )
  t.match(await resolver.query('a.test', 'AAAA'), { records: [{ address: '2001:db8::1' }] })
  t.match(await resolver.query('a.test', 'MX'), { records: [{ preference: 10, host: 'mx.test' }] })
  t.match(await resolver.query('a.test', 'TXT'), { records: [{ text: 'hello' }] })
  t.match(await resolver.query('a.test', 'PTR'), { records: [{ host: 'host.test' }] })
  t.match(await resolver.query('_submission._tcp.a.test', 'SRV'), {
    records: [{ priority: 1, weight: 2, port: 587, host: 'mx.test' }],
  })
  t.match(await resolver.query('.', 'NS'), {
    kind: 'notFound',
    reason: /name=\. type=NS: Host not found/,
  })
  t.match(await resolver.query('_25._tcp.mx.test', 'TLSA'), {
    records: [{ usage: 3, selector: 1, matchingType: 1 }],
  })
})

t.test('Resolver.query() tells the ways apart in which there is nothing', async (t) => {
  const { resolver } = await world(t, {
    'a.test': { A: ['192.0.2.1'] },
    'null.test': { MX: [[0, '.']] },
    'bad.test': { MX: [[0, 'not a host']] },
    'numeric.test': { MX: [[0, '192.0.2.1']] },
    'slow.test': 'timeout',
    'broken.test': 'servfail',
    'no.test': 'refused',
    'unable.test': 'notimp',
    'confused.test': 'formerr',
    'garbage.test': 'garbage',
  })
  const prefix = 'Host or domain name not found. Name service error for name='
  const cases = [
    ['none.test', 'notFound', `${prefix}none.test type=MX: Host not found`],
    [
      'a.test',
      'noData',
      `${prefix}a.test type=MX: Host found but no data record of requested type`,
    ],
    ['null.test', 'nullMx', 'Domain null.test does not accept mail (nullMX)'],
    [
      'bad.test',
      'invalid',
      'Name service error for name=bad.test type=MX: Malformed or unexpected name server reply',
    ],
    ['slow.test', 'tryAgain', `${prefix}slow.test type=MX: Host not found, try again`],
    ['broken.test', 'tryAgain', `${prefix}broken.test type=MX: Host not found, try again`],
    // the server's fault, not the name's: mail waits
    ['no.test', 'tryAgain', `${prefix}no.test type=MX: Host not found, try again`],
    ['unable.test', 'tryAgain', `${prefix}unable.test type=MX: Host not found, try again`],
    ['confused.test', 'failed', `${prefix}confused.test type=MX: Non-recoverable error`],
    ['192.0.2.1', 'notFound', 'Name service error for 192.0.2.1: invalid host or domain name'],
    ['a..test', 'notFound', 'Name service error for a..test: invalid host or domain name'],
  ] as const
  await Promise.all(
    cases.map(async ([name, kind, reason]) => {
      t.match(await resolver.query(name, 'MX'), { kind, reason }, name)
    }),
  )
  t.match(await resolver.query('numeric.test', 'MX'), { records: [{ host: '192.0.2.1' }] })
  t.equal((await resolver.query('garbage.test', 'A')).kind, 'tryAgain')
})

t.test('Resolver.query() follows aliases, also out of the packet, and not for ever', async (t) => {
  const { resolver } = await world(t, {
    'www.test': { CNAME: 'host.test' },
    'far.test': { CNAME: 'near.test' },
    'near.test': { CNAME: 'host.test' },
    'host.test': { A: ['192.0.2.1'] },
    'loop1.test': { CNAME: 'loop2.test' },
    'loop2.test': { CNAME: 'loop1.test' },
  })
  t.match(await resolver.query('www.test', 'A'), {
    name: 'host.test',
    records: [{ address: '192.0.2.1' }],
  })
  t.match(await resolver.query('far.test', 'A'), {
    name: 'host.test',
    records: [{ address: '192.0.2.1' }],
  })
  t.match(await resolver.query('loop1.test', 'A'), {
    kind: 'notFound',
    reason: /^Name server loop for loop/,
  })
  t.match(await resolver.query('www.test', 'MX'), { kind: 'noData', name: 'host.test' })
})

t.test(
  'Resolver.query() remembers good and bad answers, and shares a question under way',
  async (t) => {
    const { dns, resolver } = await world(t, {
      'a.test': { A: ['192.0.2.1'] },
      'brief.test': { A: ['192.0.2.1'], ttlSeconds: 0 },
      'broken.test': 'servfail',
    })
    await Promise.all([resolver.query('a.test', 'A'), resolver.query('A.TEST', 'A')])
    await resolver.query('a.test', 'A')
    await resolver.query('none.test', 'A')
    await resolver.query('none.test', 'A')
    t.same(dns.queries, ['A a.test', 'A none.test'])
    await resolver.query('brief.test', 'A')
    await resolver.query('brief.test', 'A')
    t.equal(dns.queries.filter((query) => query === 'A brief.test').length, 2, 'TTL 0')
    await resolver.query('broken.test', 'A')
    dns.set('broken.test', { A: ['192.0.2.9'] })
    t.match(
      await resolver.query('broken.test', 'A'),
      { kind: 'found' },
      'failures are not remembered',
    )
  },
)

t.test('Resolver.query() repeats over TCP, without EDNS, at the next server', async (t) => {
  const big = await world(t, { 'big.test': { TXT: ['x'.repeat(200)], isTruncated: true } })
  t.match(await big.resolver.query('big.test', 'TXT'), { records: [{ text: 'x'.repeat(200) }] })
  t.equal(big.dns.queries.length, 2)

  const old = await world(t, { 'a.test': { A: ['192.0.2.1'] } }, { refusesEdns: true })
  t.match(await old.resolver.query('a.test', 'A'), { kind: 'found' })

  const deaf = await FakeDns.start({ 'a.test': 'timeout' })
  t.teardown(async () => deaf.close())
  const resolver = new Resolver({ servers: [deaf.server, old.dns.server], timeoutMs: 50 })
  t.match(await resolver.query('a.test', 'A'), { kind: 'found' })
})

t.test('Resolver.query() reports AD only when asked to', async (t) => {
  const { resolver } = await world(t, { 'a.test': { A: ['192.0.2.1'] } }, { isSecure: true })
  t.match(await resolver.query('a.test', 'A'), { isSecure: false })
  t.match(await resolver.query('a.test', 'A', { dnssec: true }), { isSecure: true })
  t.match(await resolver.query('none.test', 'A'), { kind: 'notFound', isSecure: false })
  t.match(await resolver.query('a.test', 'TLSA', { dnssec: true }), {
    kind: 'noData',
    isSecure: true,
  })
  t.match(await resolver.query('none.test', 'TLSA', { dnssec: true }), {
    kind: 'notFound',
    isSecure: true,
  })
})

t.test('Resolver.query() reports AD of a chain of aliases, packet by packet', async (t) => {
  const zone = {
    'www.test': { CNAME: 'host.test' },
    'far.test': { CNAME: 'near.test' },
    'near.test': { CNAME: 'host.test' },
    'host.test': { A: ['192.0.2.1'] },
  }
  const secure = await world(t, zone, { isSecure: true })
  const insecure = await world(t, zone)
  for (const name of ['www.test', 'far.test']) {
    const found = await secure.resolver.query(name, 'A', { dnssec: true })
    t.match(found, { name: 'host.test', isSecure: true }, name)
    const doubtful = await insecure.resolver.query(name, 'A', { dnssec: true })
    t.match(doubtful, { name: 'host.test', isSecure: false }, name)
  }
})

const rules = {
  defaultNames: { defaultNames: true, searchList: false },
  searchList: { defaultNames: false, searchList: true },
  both: { defaultNames: true, searchList: true },
}

t.test('Resolver.query() completes names as resolver(5) says', async (t) => {
  const { dns, resolver } = await world(t, {}, {}, ['sub.test', 'other.test'])
  const asked = async (name: string, search?: keyof typeof rules): Promise<string[]> => {
    const before = dns.queries.length
    await resolver.query(name, 'A', search === undefined ? {} : { search: rules[search] })
    return dns.queries.slice(before).map((query) => query.slice('A '.length))
  }
  t.same(await asked('a'), ['a'])
  t.same(await asked('b', 'defaultNames'), ['b.sub.test', 'b'], 'only our own domain')
  t.same(await asked('c', 'searchList'), ['c'], 'only names with a dot')
  t.same(await asked('d', 'both'), ['d.sub.test', 'd.other.test', 'd'])
  t.same(await asked('e.f', 'defaultNames'), ['e.f'], 'only names without a dot')
  t.same(await asked('g.h', 'searchList'), ['g.h', 'g.h.sub.test', 'g.h.other.test'])
  t.same(await asked('i.j', 'both'), ['i.j', 'i.j.sub.test', 'i.j.other.test'])
})

t.test('Resolver.query() says what became of the name as it stands', async (t) => {
  const { resolver } = await world(t, { 'mx.sub.test': { A: ['192.0.2.1'] } })
  t.equal((await resolver.query('mx', 'A')).kind, 'notFound')
  t.match(await resolver.query('mx', 'A', { search: rules.both }), { name: 'mx.sub.test' })
  t.equal((await resolver.query('none', 'A', { search: rules.both })).name, 'none')
})
