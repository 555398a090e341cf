import { mkdirSync } from 'node:fs'
import t from 'tap'
import { Acceptor, listenOn } from '@posthorn/native/socket'
import type { Descriptor } from '@posthorn/native/descriptor'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { waitFor } from '@posthorn/testing/wait-for'
import { Channel } from '@posthorn/wire/channel'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import {
  dummy,
  FoundDestinationReply,
  FoundEndpointReply,
  parseScacheRequest,
  scacheProtocol,
  ScacheStatusReply,
} from '@posthorn/wire/scache-protocol'
import { TestWorld, type Outcome } from './test/test-world.ts'

interface Test {
  teardown: (undo: () => unknown) => unknown
}

const { success, connectionLoad, connectionStore } = DELIVERY_FLAGS
const cached = { flags: success | connectionLoad | connectionStore }

/** As much of scache(8) as the client needs; says what it was asked. */
function startScache(test: Test): string[] {
  mkdirSync('private', { recursive: true })
  const asked: string[] = []
  const destinations = new Map<string, { properties: string; endpoint: string }>()
  const endpoints = new Map<string, { properties: string; descriptor: Descriptor }[]>()
  const serve = async (channel: Channel): Promise<void> => {
    channel.announce(scacheProtocol)
    for (;;) {
      const attrs = await channel.receive()
      const request = attrs === undefined ? undefined : parseScacheRequest(attrs)
      if (request === undefined) return
      asked.push(`${request.request} ${attrs?.find(([name]) => name === 'label')?.[1] ?? ''}`)
      if (request.request === 'save_endp') {
        channel.send(dummy)
        const descriptor = await channel.stream.receiveDescriptor()
        const list = endpoints.get(request.endpoint) ?? []
        endpoints.set(request.endpoint, [...list, { properties: request.properties, descriptor }])
        channel.send(ScacheStatusReply.encode({ status: 0 }))
      } else if (request.request === 'save_dest') {
        const { properties, endpoint } = request
        destinations.set(request.destination, { properties, endpoint })
        channel.send(ScacheStatusReply.encode({ status: 0 }))
      } else {
        const bound =
          request.request === 'find_dest' ? destinations.get(request.destination) : undefined
        const label = request.request === 'find_dest' ? bound?.endpoint : request.endpoint
        const found = endpoints.get(label ?? '')?.shift()
        const status = found === undefined ? 2 : 0
        const properties = found?.properties ?? ''
        channel.send(
          request.request === 'find_endp'
            ? FoundEndpointReply.encode({ status, properties })
            : FoundDestinationReply.encode({
                status,
                destinationProperties: status === 0 ? (bound?.properties ?? '') : '',
                endpointProperties: properties,
              }),
        )
        if (found === undefined) continue
        await channel.receive()
        await channel.stream.sendDescriptor(found.descriptor)
        await channel.receive()
      }
    }
  }
  const listener = listenOn({ family: 'unix', path: 'private/scache' }, { backlog: 5 })
  const channels: Channel[] = []
  const acceptor = new Acceptor(listener, (client) => {
    const channel = new Channel(new ByteStream(client))
    channels.push(channel)
    serve(channel).catch(() => undefined)
  })
  acceptor.resume()
  test.teardown(() => {
    acceptor.close()
    for (const channel of channels) channel.close()
    for (const { descriptor } of [...endpoints.values()].flat()) descriptor.close()
  })
  return asked
}

async function world(
  test: Test,
  concurrency: number,
  script: PeerOptions = {},
  settings: Record<string, string> = {},
): Promise<{
  peer: ScriptedPeer
  asked: string[]
  deliver: () => Promise<Outcome>
  client: TestWorld
}> {
  const peer = await ScriptedPeer.start({ extensions: ['PIPELINING'], ...script })
  test.teardown(async () => peer.close())
  const client = await TestWorld.start(test, settings, { concurrency })
  const asked = startScache(test)
  const nexthop = `[127.0.0.1]:${peer.port}`
  return {
    peer,
    client,
    asked: asked,
    deliver: async () => client.deliver({ nexthop, request: cached }),
  }
}

function relay(outcome: Outcome): string | undefined {
  return /relay=[^,]*(?:, conn_use=\d+)?/.exec(outcome.log.at(-1) ?? '')?.[0]
}

t.test('with one delivery at a time connections go to scache(8) and come back', async (t) => {
  const { peer, asked, deliver, client } = await world(t, 1)
  const where = `relay=127.0.0.1[127.0.0.1]:${peer.port}`
  t.equal(relay(await deliver()), where)
  t.equal(relay(await deliver()), `${where}, conn_use=2`)
  t.equal(relay(await deliver()), `${where}, conn_use=3`)
  t.equal(peer.sessions.length, 1)
  t.equal(peer.messages.length, 3)
  t.same(
    peer.commands.filter((command) => command === 'RSET' || command === 'QUIT'),
    ['RSET', 'RSET'],
    'a probe before each reuse, and no QUIT',
  )
  const destination = `smtp\n[127.0.0.1]:${peer.port}\n`
  t.same(asked.slice(0, 6), [
    `find_dest ${destination}`,
    `find_endp smtp\n127.0.0.1\n${peer.port}\n0\n`,
    `save_dest ${destination}`,
    `save_endp smtp\n127.0.0.1\n${peer.port}\n0\n`,
    `find_dest ${destination}`,
    `save_dest ${destination}`,
  ])
  client.client.cache.close()
})

t.test(
  'a worker with many deliveries uses its own connections first, without a probe',
  async (t) => {
    const { peer, asked, deliver, client } = await world(t, 10)
    const where = `relay=127.0.0.1[127.0.0.1]:${peer.port}`
    await deliver()
    t.equal(relay(await deliver()), `${where}, conn_use=2`)
    t.equal(relay(await deliver()), `${where}, conn_use=3`)
    t.equal(peer.sessions.length, 1)
    t.notOk(peer.commands.includes('RSET'))
    t.same(
      asked.filter((one) => one.startsWith('save')),
      [],
    )
    await client.client.cache.handOver()
    t.same(
      asked.filter((one) => one.startsWith('save')).map((one) => one.slice(0, 9)),
      ['save_dest', 'save_endp'],
      'what is left is for others',
    )
  },
)

for (const concurrency of [1, 10]) {
  const whose = concurrency === 1 ? 'shared' : 'own'
  t.test(`limits of reuse, ${whose} cache`, async (t) => {
    const settings = { smtp_connection_reuse_count_limit: '1' }
    const { peer, deliver, client } = await world(t, concurrency, {}, settings)
    for (let count = 0; count < 4; count++) await deliver()
    await waitFor(() => peer.sessions.every((session) => session.isClosed), 'QUIT')
    t.same(
      peer.sessions.map((session) => session.messages.length),
      [2, 2],
      'count limit N: N + 1 deliveries',
    )
    client.client.cache.close()
  })

  t.test(`a connection that the server closed is not missed, ${whose} cache`, async (t) => {
    const { deliver, client } = await world(t, concurrency, {
      replies: { '.': { text: '250 2.0.0 Ok', close: true } },
    })
    await deliver()
    const outcome = await deliver()
    t.equal(outcome.log.length, 1, outcome.log.join('\n'))
    t.notMatch(outcome.log[0], /conn_use/)
    t.same(outcome.done, ['to@example.test'])
    client.client.cache.close()
  })
}

t.test('our own connection that says 421 or nothing is replaced without a word', async (t) => {
  for (const second of ['421 4.3.2 idle too long', { close: true }]) {
    const { peer, deliver, client } = await world(t, 10, {
      replies: { MAIL: ['250 ok', second, '250 ok'] },
    })
    await deliver()
    const outcome = await deliver()
    t.match(outcome.log, [
      /^0123456789A: to=<to@example\.test>, relay=[^,]*, dsn=2\.0\.0, status=sent/,
    ])
    t.equal(peer.sessions.length, 2)
    client.client.cache.close()
  }
})

t.test('our own connection that is not answered has the time of a probe', async (t) => {
  const { peer, deliver, client } = await world(
    t,
    10,
    { replies: { MAIL: ['250 ok', { deafMs: Infinity }, '250 ok'] } },
    { smtp_rset_timeout: '1s', smtp_mail_timeout: '300s' },
  )
  await deliver()
  const outcome = await deliver()
  t.same(outcome.done, ['to@example.test'])
  t.notMatch(outcome.log.join(), /timed out|conn_use/)
  t.equal(peer.sessions.length, 2)
  client.client.cache.close()
})

t.test('rejections do not prevent caching, suspect replies do', async (t) => {
  for (const [reply, isKept] of [
    ['550 5.1.1 no', true],
    ['452 4.2.2 full', true],
    ['503 bad sequence', false],
    ['355 what', false],
  ] as const) {
    const { peer, deliver, client } = await world(t, 1, {
      extensions: [],
      replies: { RCPT: reply },
    })
    await deliver()
    await deliver()
    t.equal(peer.sessions.length, isKept ? 1 : 2, reply)
    client.client.cache.close()
  }
})

t.test('without the flags of the queue manager nothing is cached', async (t) => {
  const { peer, client, asked } = await world(t, 10)
  const nexthop = `[127.0.0.1]:${peer.port}`
  await client.deliver({ nexthop })
  await client.deliver({ nexthop })
  t.same(asked, [])
  t.equal(peer.commands.filter((command) => command === 'QUIT').length >= 1, true)
  t.equal(peer.sessions.length, 2)
})

t.test(
  'a scache(8) that says nothing costs connection_cache_protocol_timeout, and no mail',
  async (t) => {
    const peer = await ScriptedPeer.start()
    t.teardown(async () => peer.close())
    const world = await TestWorld.start(t, { connection_cache_protocol_timeout: '1s' })
    mkdirSync('private')
    const listener = listenOn({ family: 'unix', path: 'private/scache' }, { backlog: 5 })
    t.teardown(() => {
      listener.close()
    })
    const mail = { nexthop: `[127.0.0.1]:${peer.port}`, request: cached }
    const { log } = await world.deliver(mail)
    t.match(log.at(-1), /status=sent/)
  },
)

t.test('what a real smtp(8) would not understand stays in this process', async (t) => {
  const script = { extensions: ['PIPELINING', 'CHUNKING', 'REQUIRETLS'] }
  const settings = { smtp_chunking_enable: 'yes' }
  const textVerbs = (peer: ScriptedPeer): string[] =>
    peer.commands.filter((line) => /^(?:BDAT|DATA)/.test(line)).map((line) => line.slice(0, 4))
  const shared = await world(t, 1, script, settings)
  await shared.deliver()
  await shared.deliver()
  t.equal(shared.peer.sessions.length, 1)
  t.same(textVerbs(shared.peer), ['BDAT', 'DATA'], 'a connection from scache(8)')
  const own = await world(t, 2, script, settings)
  t.teardown(() => {
    own.client.client.cache.close()
  })
  await own.deliver()
  await own.deliver()
  t.equal(own.peer.sessions.length, 1)
  t.same(textVerbs(own.peer), ['BDAT', 'BDAT'], 'a connection of our own')
})
