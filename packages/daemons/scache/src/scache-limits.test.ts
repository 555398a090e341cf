/**
 * scache-limits.test - more than there is room for, and clients that do not go on
 */
import { captureLog } from '@posthorn/log/capture-log'
import type { Descriptor } from '@posthorn/native/descriptor'
import { pipePair, socketPair } from '@posthorn/native/socket'
import { ByteStream, EndOfStreamError } from '@posthorn/stream/byte-stream'
import { waitFor } from '@posthorn/testing/wait-for'
import { encodeAttrList } from '@posthorn/wire/attr-list'
import { Channel } from '@posthorn/wire/channel'
import { dummy, FindEndpoint, SaveDestination, SaveEndpoint } from '@posthorn/wire/scache-protocol'
import t, { type Test } from 'tap'
import { DescriptorBudget } from './descriptor-budget.ts'
import { ScacheService } from './scache-service.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

function startService(
  t: Test,
  { requestTimeoutMs = 5000, budget = new DescriptorBudget(1000, 0) } = {},
): ScacheService {
  logged.lines.length = 0
  const service = new ScacheService({
    ttlLimitSeconds: 1000,
    statusUpdateSeconds: 0,
    requestTimeoutMs,
    budget,
  })
  t.teardown(() => {
    service.stop()
  })
  return service
}

async function connect(
  t: Test,
  service: ScacheService,
): Promise<{ channel: Channel; served: Promise<unknown> }> {
  const [a, b] = socketPair()
  const stream = new ByteStream(b)
  // as the skeleton does
  const served = service
    .serve(stream)
    .catch((error: unknown) => error)
    .finally(() => {
      stream.close()
    })
  const channel = new Channel(new ByteStream(a, { timeoutMs: 10_000 }))
  t.teardown(() => {
    channel.close()
  })
  await channel.expectAnnouncement('connection_cache_protocol')
  return { channel, served }
}

async function ask(channel: Channel, octets: string): Promise<string> {
  channel.send(octets)
  return encodeAttrList(await channel.receiveReply())
}

/** The other end of what was saved: its end shows that the cache has closed it. */
async function save(
  channel: Channel,
  endpoint: string,
  ttlSeconds: number,
  properties = 'p',
): Promise<Descriptor> {
  const [read, write] = pipePair()
  const request = SaveEndpoint.encode({ ttlSeconds, endpoint, properties })
  t.equal(await ask(channel, request), dummy)
  await channel.stream.sendDescriptor(write)
  t.equal(encodeAttrList(await channel.receiveReply()), 'status\x000\0\0')
  return read
}

const find = (endpoint: string): string => FindEndpoint.encode({ endpoint })
const miss = 'status\x002\0property\0\0\0'

t.test('without room the connection goes that would expire next', async (t) => {
  // 2 beside one client
  const service = startService(t, { budget: new DescriptorBudget(11, 0) })
  const { channel } = await connect(t, service)
  const pipes = [
    await save(channel, 'long', 90),
    await save(channel, 'short', 10),
    await save(channel, 'middle', 50),
  ]
  t.same(
    pipes.map((pipe) => pipe.readText()),
    [undefined, '', undefined],
  )
  t.equal(await ask(channel, find('short')), miss)
  for (const pipe of pipes) pipe.close()
  service.stop()
  t.match(logged.lines, [
    /^statistics: start interval /,
    'statistics: address lookup hits=0 miss=1 success=0%',
    'statistics: max simultaneous domains=0 addresses=2 connection=2',
    'statistics: connections closed early for want of room=1',
  ])
})

t.test('a client that comes takes the room of connections', async (t) => {
  const service = startService(t, { budget: new DescriptorBudget(12, 0) })
  const { channel } = await connect(t, service)
  const pipes = [
    await save(channel, 'a', 10),
    await save(channel, 'b', 20),
    await save(channel, 'c', 30),
  ]
  await connect(t, service)
  t.same(
    pipes.map((pipe) => pipe.readText()),
    ['', undefined, undefined],
  )
  for (const pipe of pipes) pipe.close()
})

t.test('too many clients: the one that was idle for longest is hung up on', async (t) => {
  // 2 clients
  const service = startService(t, { budget: new DescriptorBudget(12, 0) })
  const first = await connect(t, service)
  const second = await connect(t, service)
  t.equal(await ask(first.channel, find('x')), miss)
  const third = await connect(t, service)
  await second.served
  await t.rejects(second.channel.receiveReply(), EndOfStreamError)
  t.equal(await ask(first.channel, find('x')), miss)
  t.equal(await ask(third.channel, find('x')), miss)
  t.same(logged.lines, [], 'nothing to complain about')
})

t.test('a client that stops in the middle costs itself its conversation', async (t) => {
  const service = startService(t, { requestTimeoutMs: 50 })
  const good = await connect(t, service)
  const pipe = await save(good.channel, 'E', 90)
  // it does not come for what it has found
  const forgetful = await connect(t, service)
  t.match(await ask(forgetful.channel, find('E')), /^status\x000\0/)
  // it does not send the descriptor
  const empty = await connect(t, service)
  t.equal(
    await ask(empty.channel, SaveEndpoint.encode({ ttlSeconds: 9, endpoint: 'F', properties: '' })),
    dummy,
  )
  // it does not end its request
  const half = await connect(t, service)
  half.channel.send('request\0find_')
  await half.channel.stream.flush()
  t.equal(await ask(good.channel, find('E')), miss, 'others are served meanwhile')
  await forgetful.served
  await t.resolveMatch(half.served, { name: 'StreamTimeoutError' })
  t.equal(await ask(empty.channel, find('E')).catch(String), 'status\x002\0\0')
  await waitFor(() => pipe.readText() === '', 'the connection that nobody came for to be closed')
  pipe.close()
  const reason = 'Cannot wait longer for input'
  t.match(logged.lines.sort(), [
    `warning: scache_find_endp_service: cannot send file descriptor: ${reason}`,
    `warning: scache_save_endp_service: unable to receive file descriptor: ${reason}`,
  ])
})

t.test('labels and properties of 100 KB', async (t) => {
  const service = startService(t)
  const { channel } = await connect(t, service)
  const [label, properties] = ['L'.repeat(100_000), 'P'.repeat(100_000)]
  const pipe = await save(channel, label, 90, properties)
  t.equal(await ask(channel, find(label)), `status\x000\0property\0${properties}\0\0`)
  channel.send(dummy)
  const found = await channel.stream.receiveDescriptor()
  channel.send(dummy)
  found.close()
  pipe.close()
})

t.test('a client that saves and never finds is bounded by octets', async (t) => {
  const service = startService(t)
  const { channel } = await connect(t, service)
  const properties = 'P'.repeat(200_000)
  for (let count = 0; count < 400; count++) {
    const binding = { ttlSeconds: 900, destination: `D${count}`, properties, endpoint: 'E' }
    t.equal(await ask(channel, SaveDestination.encode(binding)), 'status\x000\0\0')
  }
  t.ok(service.cache.destinationCount < 340, `${service.cache.destinationCount} of 400 are kept`)
})
