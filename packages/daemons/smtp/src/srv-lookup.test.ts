/**
 * srv-lookup.test - use_srv_lookup: servers that SRV records name (RFC 2782), with their ports
 */
import { FakeDns, type FakeName } from '@posthorn/testing/fake-dns'
import { freePort } from '@posthorn/testing/free-port'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import t from 'tap'
import type { Protocol } from './client-options.ts'
import { TestWorld, type Outcome } from './test/test-world.ts'

interface Test {
  teardown: (undo: () => unknown) => unknown
}

async function peer(test: Test, options: PeerOptions = {}): Promise<ScriptedPeer> {
  const peer = await ScriptedPeer.start(options)
  test.teardown(async () => peer.close())
  return peer
}

async function deliver(
  test: Test,
  zone: Record<string, FakeName>,
  nexthop: string,
  settings: Record<string, string> = {},
  protocol: Protocol = 'smtp',
): Promise<Outcome & { queries: readonly string[] }> {
  const dns = await FakeDns.start(zone)
  test.teardown(async () => dns.close())
  const all = {
    dns_nameservers: dns.nameservers,
    inet_protocols: 'ipv4',
    use_srv_lookup: 'submission, smtp',
    ...settings,
  }
  const world = await TestWorld.start(test, all, { protocol })
  return { ...(await world.deliver({ nexthop })), queries: dns.queries }
}

const local = { A: ['127.0.0.1'] }
const busy = { replies: { EHLO: '421 busy', LHLO: '421 busy' } }

t.test('servers are tried by priority, on the ports of their records', async (t) => {
  const [first, second] = [await peer(t, busy), await peer(t)]
  const closed = await freePort('127.0.0.1')
  const zone: Record<string, FakeName> = {
    '_submission._tcp.a.test': {
      SRV: [
        [30, 0, closed, 'c.test'],
        [20, 0, second.port, 'b.test'],
        [10, 0, first.port, 'a.test'],
      ],
    },
    'a.test': { ...local, MX: [[0, 'c.test']] },
    'b.test': local,
    'c.test': local,
  }
  const { log, queries, done } = await deliver(t, zone, 'a.test:submission')
  t.same(log, [
    '0123456789A: host a.test[127.0.0.1] refused to talk to me: 421 busy',
    `0123456789A: to=<to@example.test>, relay=b.test[127.0.0.1]:${second.port}, dsn=2.0.0, ` +
      'status=sent (250 2.0.0 Ok: queued)',
  ])
  t.same(done, ['to@example.test'])
  t.equal(queries[0], 'SRV _submission._tcp.a.test')
  t.notOk(queries.includes('MX a.test'))
})

t.test('weights share the load, and both servers get some', async (t) => {
  const [light, heavy] = [await peer(t), await peer(t)]
  const zone: Record<string, FakeName> = {
    '_submission._tcp.a.test': {
      SRV: [
        [0, 1, light.port, 'a.test'],
        [0, 3, heavy.port, 'a.test'],
      ],
    },
    'a.test': local,
  }
  const dns = await FakeDns.start(zone)
  t.teardown(async () => dns.close())
  const world = await TestWorld.start(t, {
    dns_nameservers: dns.nameservers,
    inet_protocols: 'ipv4',
    use_srv_lookup: 'submission',
    smtp_randomize_addresses: 'yes',
  })
  // that one of them gets nothing by chance alone has odds of 1 to 10^22
  for (let count = 0; count < 100; count++) await world.deliver({ nexthop: 'a.test:submission' })
  t.ok(light.messages.length > 0 && heavy.messages.length > 0)
  t.equal(light.messages.length + heavy.messages.length, 100)
})

t.test('the default service counts as one; other services and brackets do not', async (t) => {
  const server = await peer(t)
  const zone: Record<string, FakeName> = {
    '_smtp._tcp.a.test': { SRV: [[0, 0, server.port, 'a.test']] },
    'a.test': local,
  }
  const found = await deliver(t, zone, 'a.test')
  t.match(found.log.at(-1), /status=sent/)
  for (const nexthop of [`a.test:${server.port}`, `[a.test]:${server.port}`]) {
    const { log, queries } = await deliver(t, zone, nexthop)
    t.match(log.at(-1), /status=sent/)
    t.notOk(
      queries.some((query) => query.startsWith('SRV')),
      nexthop,
    )
  }
  const off = await deliver(t, zone, `a.test:${server.port}`, { use_srv_lookup: '' })
  t.notOk(off.queries.some((query) => query.startsWith('SRV')))
})

t.test('no record, no answer, no service', async (t) => {
  const server = await peer(t)
  const zone = (srv: FakeName | undefined): Record<string, FakeName> => ({
    ...(srv !== undefined && { '_submission._tcp.a.test': srv }),
    'a.test': { A: ['127.0.0.1'], MX: [[0, 'a.test']] },
  })
  const port = { known_tcp_ports: `submission=${server.port}` }
  const allow = { ...port, allow_srv_lookup_fallback: 'yes' }
  const ignore = { ...port, ignore_srv_lookup_error: 'yes' }
  const cases = [
    ['none', undefined, port, /dsn=5\.4\.4, status=bounced \(.*type=SRV: Host not found\)/],
    ['none, errors ignored', undefined, ignore, /dsn=5\.4\.4, status=bounced/],
    ['none, fallback', undefined, allow, /status=sent/],
    ['no answer', 'servfail', port, /dsn=4\.4\.3, status=deferred \(.*type=SRV: .*try again\)/],
    ['no answer, errors ignored', 'servfail', ignore, /status=sent/],
    ['no answer, fallback', 'servfail', allow, /status=sent/],
    ['no service', { SRV: [[0, 0, 0, '.']] }, allow, /dsn=5\.1\.0, status=bounced \(Domain does/],
    ['no address', { SRV: [[0, 0, 1, 'x.test']] }, allow, /dsn=5\.4\.4, status=bounced/],
  ] as const
  for (const [what, srv, settings, outcome] of cases) {
    const { log } = await deliver(t, zone(srv), 'a.test:submission', settings)
    t.match(log.at(-1), outcome, what)
  }
})

t.test('lmtp(8) looks for services, too', async (t) => {
  const server = await peer(t, { isLmtp: true })
  const zone: Record<string, FakeName> = {
    '_submission._tcp.a.test': { SRV: [[0, 0, server.port, 'a.test']] },
    'a.test': local,
  }
  const { log } = await deliver(t, zone, 'a.test:submission', {}, 'lmtp')
  t.match(log.at(-1), /status=sent/)
})
