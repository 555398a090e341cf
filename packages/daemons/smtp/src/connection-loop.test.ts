import t from 'tap'
import { FakeDns, type FakeName } from '@posthorn/testing/fake-dns'
import { freePort } from '@posthorn/testing/free-port'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import { TestWorld } from './test/test-world.ts'

interface Test {
  teardown: (undo: () => unknown) => unknown
}

/** Servers at 127.0.0.1, 127.0.0.2 ... on one port; the first and best is the first given. */
async function servers(
  test: Test,
  ...scripts: (PeerOptions | 'down')[]
): Promise<{ port: number; peers: (ScriptedPeer | undefined)[]; zone: Record<string, FakeName> }> {
  const port = await freePort('0.0.0.0')
  const peers: (ScriptedPeer | undefined)[] = []
  const zone: Record<string, FakeName> = {}
  const mx: [number, string][] = []
  for (const [at, script] of scripts.entries()) {
    const address = `127.0.0.${at + 1}`
    const peer =
      script === 'down' ? undefined : await ScriptedPeer.start({ ...script, address, port })
    if (peer !== undefined) test.teardown(async () => peer.close())
    peers.push(peer)
    mx.push([at * 10, `mx${at + 1}.test`])
    zone[`mx${at + 1}.test`] = { A: [address] }
  }
  zone['a.test'] = { MX: mx }
  return { port, peers, zone }
}

async function world(
  test: Test,
  zone: Record<string, FakeName>,
  settings: Record<string, string> = {},
): Promise<TestWorld> {
  const dns = await FakeDns.start(zone)
  test.teardown(async () => dns.close())
  return TestWorld.start(test, {
    dns_nameservers: dns.nameservers,
    inet_protocols: 'ipv4',
    ...settings,
  })
}

t.test('servers are tried by preference until one takes the mail', async (t) => {
  const { port, peers, zone } = await servers(t, 'down', { replies: { EHLO: '421 busy' } }, {})
  const client = await world(t, zone)
  const { log, done, hopStatus } = await client.deliver({ nexthop: `a.test:${port}` })
  t.same(log, [
    `connect to mx1.test[127.0.0.1]:${port}: Connection refused`,
    '0123456789A: host mx2.test[127.0.0.2] refused to talk to me: 421 busy',
    `0123456789A: to=<to@example.test>, relay=mx3.test[127.0.0.3]:${port}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued)`,
  ])
  t.same(done, ['to@example.test'])
  t.equal(hopStatus, undefined)
  t.equal(peers[2]?.messages.length, 1)
})

t.test('recipients that one server puts off are tried at the next', async (t) => {
  const { port, peers, zone } = await servers(
    t,
    { replies: { 'RCPT TO:<b@': '450 4.2.0 later', 'RCPT TO:<c@': '550 5.1.1 no' } },
    { replies: { 'RCPT TO:<b@': '450 4.2.0 later still' } },
    {},
  )
  const client = await world(t, zone)
  const recipients = ['a@a.test', 'b@a.test', 'c@a.test']
  const outcome = await client.deliver({ nexthop: `a.test:${port}`, recipients })
  t.equal(outcome.log.filter((line) => line.startsWith('0123456789A: host mx1')).length, 1)
  t.match(outcome.log.at(-1), /to=<b@a\.test>, relay=mx2\.test.*dsn=4\.2\.0, status=deferred/)
  t.same(outcome.records, ['bounce c@a.test 5.1.1 failed', 'defer b@a.test 4.2.0 delayed'])
  t.equal(peers[2]?.sessions.length, 0, 'smtp_mx_session_limit is 2')
})

t.test('a hard failure ends it at once; the address limit ends it too', async (t) => {
  const hard = await servers(t, { replies: { MAIL: '550 no' } }, {})
  const client = await world(t, hard.zone)
  const bounced = await client.deliver({ nexthop: `a.test:${hard.port}` })
  t.match(bounced.log[0], /status=bounced/)
  t.equal(hard.peers[1]?.sessions.length, 0)
  const down = await servers(t, 'down', 'down', {})
  const limited = await world(t, down.zone, { smtp_mx_address_limit: '2' })
  const outcome = await limited.deliver({ nexthop: `a.test:${down.port}` })
  t.match(outcome.log.at(-1), /relay=none, dsn=4\.4\.1, status=deferred \(connect to mx2/)
})

t.test('fallback relays get what the destination did not take', async (t) => {
  const { port, peers, zone } = await servers(t, 'down', {})
  const client = await world(t, zone, { smtp_fallback_relay: `[mx2.test]:${port}` })
  const { log } = await client.deliver({ nexthop: `[mx1.test]:${port}` })
  t.match(log.at(-1), /relay=mx2\.test/)
  t.equal(peers[1]?.messages.length, 1)
  const hard = await world(t, zone, { smtp_fallback_relay: 'none.test' })
  const outcome = await hard.deliver({ nexthop: `[mx1.test]:${port}` })
  t.match(outcome.log.at(-2), /smtp_fallback_relay configuration problem/)
  t.match(outcome.log.at(-1), /dsn=4\.3\.5, status=deferred \(Host or domain name not found/)
})

t.test('DNS failures have their class and text', async (t) => {
  const zone: Record<string, FakeName> = {
    'null.test': { MX: [[0, '.']] },
    'broken.test': 'servfail',
    'nomx.test': { TXT: ['x'] },
    'lost.test': {
      MX: [
        [10, 'gone.test'],
        [20, 'slow.test'],
      ],
    },
    'slow.test': 'servfail',
  }
  const client = await world(t, zone)
  const prefix = 'Host or domain name not found. Name service error for name='
  const cases: [string, string, string][] = [
    ['none.test', '5.4.4', `${prefix}none.test type=A: Host not found`],
    [
      'nomx.test',
      '5.4.4',
      `${prefix}nomx.test type=A: Host found but no data record of requested type`,
    ],
    ['broken.test', '4.4.3', `${prefix}broken.test type=MX: Host not found, try again`],
    ['null.test', '5.1.0', 'Domain null.test does not accept mail (nullMX)'],
    ['lost.test', '4.4.3', `${prefix}slow.test type=A: Host not found, try again`],
    ['[none.test]', '5.4.4', `${prefix}none.test type=A: Host not found`],
  ]
  for (const [nexthop, dsn, text] of cases) {
    const { log, hopStatus } = await client.deliver({ nexthop })
    const status = dsn.startsWith('5') ? 'bounced' : 'deferred'
    t.equal(
      log.at(-1),
      `0123456789A: to=<to@example.test>, relay=none, dsn=${dsn}, status=${status} (${text})`,
    )
    t.equal(hopStatus?.status, dsn.startsWith('5') ? undefined : dsn)
  }
})

t.test('mail that loops is returned', async (t) => {
  const zone = { 'a.test': { MX: [[10, 'me.test']] }, 'me.test': { A: ['127.0.0.99'] } } as const
  const client = await world(t, zone)
  const { log } = await client.deliver({ nexthop: 'a.test' })
  t.match(log.at(-1), /dsn=5\.4\.6, status=bounced \(mail for a\.test loops back to myself\)/)
  const { port, zone: mirror } = await servers(t, { replies: { EHLO: '250 client.test' } })
  const talking = await (await world(t, mirror)).deliver({ nexthop: `a.test:${port}` })
  t.match(
    talking.log.at(-1),
    /dsn=5\.4\.6, status=bounced \(mail for a\.test:\d+ loops back to myself\)/,
  )
})

t.test('a destination that must have TLS gets no mail in plaintext', async (t) => {
  const { port, zone, peers } = await servers(t, {})
  const client = await world(t, zone, { smtp_tls_security_level: 'encrypt' })
  const { log } = await client.deliver({ nexthop: `a.test:${port}` })
  t.match(
    log[0],
    /dsn=4\.7\.4, status=deferred \(TLS is required, but was not offered by host mx1\.test\[127\.0\.0\.1\]\)/,
  )
  t.equal(peers[0]?.messages.length, 0)
})

t.test('a probe that finds a server unusable says nothing about the destination', async (t) => {
  const { port, zone } = await servers(t, { replies: { EHLO: '421 busy', HELO: '421 busy' } })
  const client = await world(t, zone)
  const nexthop = `a.test:${port}`
  t.ok((await client.deliver({ nexthop })).hopStatus)
  const request = { flags: DELIVERY_FLAGS.success | DELIVERY_FLAGS.mtaVerify }
  t.equal((await client.deliver({ nexthop, request })).hopStatus, undefined)
})

t.test('a bad next-hop is an error of the configuration', async (t) => {
  const client = await world(t, {})
  await t.rejects(client.deliver({ nexthop: '[a.test' }), { code: 'POSTHORN_NEXTHOP' })
  await t.rejects(client.deliver({ nexthop: '' }), { message: 'empty nexthop hostname' })
})
