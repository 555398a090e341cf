/**
 * scache.test - the service over socket pairs: the descriptor dance, bad requests, statistics
 */
import { constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import type { Client, Service } from '@posthorn/daemon/service'
import { createServiceContext } from '@posthorn/daemon/service-context'
import { captureLog } from '@posthorn/log/capture-log'
import { Descriptor } from '@posthorn/native/descriptor'
import { pipePair, socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { decodeAttrList, encodeAttrList } from '@posthorn/wire/attr-list'
import { Channel } from '@posthorn/wire/channel'
import {
  dummy,
  FindDestination,
  FindEndpoint,
  SaveDestination,
  SaveEndpoint,
} from '@posthorn/wire/scache-protocol'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { scache } from './scache.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

async function startService(t: Test): Promise<Service> {
  logged.lines.length = 0
  const directory = temporaryDirectory(t)
  writeFileSync(join(directory, 'main.cf'), 'compatibility_level = 3.7\n')
  const config = MainConfig.load({ directory })
  const service = await scache.start(createServiceContext(config))
  t.teardown(async () => service.stop?.())
  return service
}

const client: Client = {
  peer: { family: 'unix', path: '' },
  local: { family: 'unix', path: '' },
  arrival: 'accepted',
  signal: new AbortController().signal,
  stay: () => false,
}

async function connect(
  t: Test,
  service: Service,
): Promise<{ channel: Channel; served: Promise<void> }> {
  const [a, b] = socketPair()
  const stream = new ByteStream(b, { timeoutMs: 5_000 })
  const served = (service.serve?.(stream, client) ?? Promise.resolve()).finally(() => {
    stream.close()
  })
  const channel = new Channel(new ByteStream(a, { timeoutMs: 5_000 }))
  t.teardown(() => {
    channel.close()
  })
  await channel.expectAnnouncement('connection_cache_protocol')
  return { channel, served }
}

/** What comes back, as octets, so that every one of them counts. */
async function ask(channel: Channel, octets: string): Promise<string> {
  channel.send(octets)
  return encodeAttrList(await channel.receiveReply())
}

const save = SaveEndpoint.encode({ ttlSeconds: 30, endpoint: 'LAB', properties: 'P1' })
const bind = SaveDestination.encode({
  ttlSeconds: 30,
  destination: 'DST',
  properties: 'DP',
  endpoint: 'LAB',
})
const findEndpoint = FindEndpoint.encode({ endpoint: 'LAB' })
const findDestination = FindDestination.encode({ destination: 'DST' })

t.test('a connection goes in, and comes out by its destination', async (t) => {
  const service = await startService(t)
  const { channel, served } = await connect(t, service)
  const [read, write] = pipePair()
  t.equal(await ask(channel, bind), 'status\x000\0\0')
  t.equal(await ask(channel, findDestination), 'status\x002\0property\0\0property\0\0\0')
  t.equal(await ask(channel, save), dummy)
  await channel.stream.sendDescriptor(write)
  t.equal(encodeAttrList(await channel.receiveReply()), 'status\x000\0\0')

  const reply = await ask(channel, findDestination)
  t.equal(reply, 'status\x000\0property\0DP\0property\0P1\0\0')
  channel.send(dummy)
  const found = await channel.stream.receiveDescriptor()
  found.write('hello')
  t.equal(read.readText(), 'hello')
  // the second dummy may come together with the next request
  t.equal(await ask(channel, dummy + findEndpoint), 'status\x002\0property\0\0\0')
  found.close()
  t.equal(read.readText(), '', 'the service keeps no copy')
  read.close()
  channel.close()
  await served
  await service.stop?.()
  t.match(logged.lines, [
    /^statistics: start interval \w{3} [ \d]\d \d\d:\d\d:\d\d$/,
    'statistics: domain lookup hits=1 miss=1 success=50%',
    'statistics: address lookup hits=0 miss=1 success=0%',
    'statistics: max simultaneous domains=1 addresses=1 connection=1',
  ])
  logged.lines.length = 0
  await service.stop?.()
  t.same(logged.lines, [], 'everything was reset')
})

t.test('bad requests get a status, are not counted, and the conversation goes on', async (t) => {
  const service = await startService(t)
  const { channel } = await connect(t, service)
  const bad = 'status\x001\0\0'
  t.equal(await ask(channel, save.replace('30', '0')), bad)
  t.equal(await ask(channel, encodeAttrList([['request', 'save_endp']])), bad)
  t.equal(await ask(channel, bind.replace('30', 'x')), bad)
  t.equal(
    await ask(channel, encodeAttrList([['request', 'find_endp']])),
    'status\x001\0property\0\0\0',
  )
  t.equal(
    await ask(channel, encodeAttrList([['request', 'find_dest']])),
    'status\x001\0property\0\0property\0\0\0',
  )
  t.equal(await ask(channel, encodeAttrList([['request', 'nonsense']])), bad)
  t.equal(await ask(channel, bind), 'status\x000\0\0')
  const parameter = 'bad or missing request parameter'
  t.same(logged.lines, [
    `warning: scache_save_endp_service: ${parameter}`,
    `warning: scache_save_endp_service: ${parameter}`,
    `warning: scache_save_dest_service: ${parameter}`,
    `warning: scache_find_endp_service: ${parameter}`,
    `warning: scache_find_dest_service: ${parameter}`,
    'warning: unrecognized request: "nonsense", ignored',
  ])
  logged.lines.length = 0
  await service.stop?.()
  t.equal(logged.lines.length, 2, 'only the saved destination is reported')
})

t.test('what is no request at all costs the connection', async (t) => {
  const service = await startService(t)
  const { channel, served } = await connect(t, service)
  channel.sendList([['label', 'x']])
  await t.rejects(served, { code: 'POSTHORN_ATTR' })
})

t.test('several requests at once are all answered', async (t) => {
  const service = await startService(t)
  const { channel } = await connect(t, service)
  channel.send(bind + bind + findEndpoint)
  t.same(await channel.receiveReply(), [['status', '0']])
  t.same(await channel.receiveReply(), [['status', '0']])
  t.same((await channel.receiveReply())[0], ['status', '2'])
})

t.test('octets where a descriptor should be are a failure', async (t) => {
  const service = await startService(t)
  const { channel } = await connect(t, service)
  t.equal(await ask(channel, save), dummy)
  channel.send('\0')
  t.equal(encodeAttrList(await channel.receiveReply()), 'status\x002\0\0')
  t.match(logged.lines, [/scache_save_endp_service: unable to receive file descriptor: /])
})

t.test(
  'a client that leaves before its descriptor was a hit, and the connection is closed',
  async (t) => {
    const service = await startService(t)
    const [read, write] = pipePair()
    const saver = await connect(t, service)
    t.equal(await ask(saver.channel, save), dummy)
    await saver.channel.stream.sendDescriptor(write)
    await saver.channel.receiveReply()
    const { channel, served } = await connect(t, service)
    t.match(decodeAttrList(await ask(channel, findEndpoint))?.attrs, [['status', '0']])
    channel.close()
    await served
    t.match(logged.lines, [/scache_find_endp_service: cannot send file descriptor: /])
    t.equal(read.readText(), '')
    read.close()
    await service.stop?.()
    t.ok(logged.lines.includes('statistics: address lookup hits=1 miss=0 success=100%'))
  },
)

t.test('a connection keeps its flags: other processes have it open, too', async (t) => {
  const service = await startService(t)
  const { channel } = await connect(t, service)
  // not made non-blocking, as the connections of a real smtp(8) are not
  const blocking = Descriptor.fresh(openSync('/dev/null', 'r'))
  t.equal(await ask(channel, save), dummy)
  await channel.stream.sendDescriptor(blocking)
  await channel.receiveReply()
  await ask(channel, findEndpoint)
  channel.send(dummy)
  const found = await channel.stream.receiveDescriptor(true)
  const [, flags] =
    /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${found.fd}`, 'utf8')) ?? []
  t.equal(Number.parseInt(flags ?? '', 8) & constants.O_NONBLOCK, 0)
  found.close()
})

t.test('the end of the process closes what is kept', async (t) => {
  const service = await startService(t)
  const [read, write] = pipePair()
  const { channel } = await connect(t, service)
  t.equal(await ask(channel, save), dummy)
  await channel.stream.sendDescriptor(write)
  await channel.receiveReply()
  await service.stop?.()
  t.equal(read.readText(), '')
  read.close()
})

t.test('whatever a client sends, the next one is served', async (t) => {
  const service = await startService(t)
  const word = fc.constantFrom(
    'request',
    'save_endp',
    'find_endp',
    'save_dest',
    'find_dest',
    'ttl',
    '30',
    'label',
    'property',
    'dummy',
    '',
    'x',
    '-1',
    '0',
    '\xff',
  )
  const octets = fc.array(fc.tuple(word, fc.constantFrom('\0', '\0\0', '')), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(octets, async (parts) => {
      const bad = await connect(t, service)
      bad.channel.send(parts.flat().join(''))
      await bad.channel.stream.flush()
      bad.channel.close()
      bad.served.catch(() => undefined)
      const good = await connect(t, service)
      t.equal(await ask(good.channel, bind), 'status\x000\0\0')
      good.channel.close()
    }),
    { numRuns: 60 },
  )
})
