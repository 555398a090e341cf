/**
 * conversations.test - a client and a server of each protocol talk to each other
 */
import { captureLog } from '@posthorn/log/capture-log'
import type { Descriptor } from '@posthorn/native/descriptor'
import { pipePair, socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import t from 'tap'
import {
  AnvilClient,
  AnvilConnectReply,
  anvilProtocol,
  AnvilRateReply,
  AnvilStatusReply,
  parseAnvilRequest,
} from './anvil-protocol.ts'
import { emptyDsn } from './attr-groups.ts'
import {
  BounceReply,
  bounceProtocol,
  parseBounceRequest,
  sendBounceRequest,
} from './bounce-protocol.ts'
import { Channel } from './channel.ts'
import {
  announceCleanup,
  CLEANUP_FLAGS,
  CLEANUP_STATUS,
  CleanupOpening,
  openCleanup,
  SubmissionReply,
} from './cleanup-protocol.ts'
import { ChannelPool, NEXT_CONVERSATION } from './channel-pool.ts'
import { FakeService } from './fake-service.ts'
import { FlushReply, flushProtocol, parseFlushRequest, sendFlushRequest } from './flush-protocol.ts'
import { plain } from './plain-list.ts'
import { announcePostdrop, openPostdrop } from './postdrop-protocol.ts'
import {
  parseProxymapRequest,
  ProxymapClient,
  proxymapProtocol,
  TableLookupReply,
} from './proxymap-protocol.ts'
import {
  parseRewriteRequest,
  ResolveReplyList,
  RewriteClient,
  rewriteProtocol,
  RewriteReply,
} from './rewrite-protocol.ts'
import {
  dummy,
  Dummy,
  FoundDestinationReply,
  parseScacheRequest,
  ScacheClient,
  scacheProtocol,
  ScacheStatusReply,
} from './scache-protocol.ts'
import {
  parseVerifyRequest,
  VerifyClient,
  verifyProtocol,
  VerifyQueryReply,
  VerifyUpdateReply,
} from './verify-protocol.ts'
import { AttrError } from './wire-error.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

const timeoutMs = 5_000

function pair(): [Channel, Channel] {
  const [a, b] = socketPair()
  return [
    new Channel(new ByteStream(a, { timeoutMs })),
    new Channel(new ByteStream(b, { timeoutMs })),
  ]
}

t.test('cleanup: a message in, a verdict out', async (t) => {
  let received = ''
  using service = FakeService.start(async (channel) => {
    announceCleanup(channel, '3AA2721C23C')
    t.same(CleanupOpening.parse((await channel.receive()) ?? []), { flags: 178 })
    received = await channel.stream.readUntil('E\0', 1_000_000)
    channel.send(
      SubmissionReply.encode({ status: CLEANUP_STATUS.size, reason: 'too big', stays: false }),
    )
  })
  const session = await openCleanup(service.path, { flags: 178, timeoutMs })
  t.equal(session.queueId, '3AA2721C23C')
  session.send('N\x05Hello')
  await session.ready()
  session.send(Buffer.from('N\x05WorldE\0'))
  t.same(await session.finish(), { status: 4, reason: 'too big' })
  t.equal(received, 'N\x05HelloN\x05World')
})

t.test('cleanup: the next message on the same connection, when it stays', async (t) => {
  const flags: number[] = []
  using service = FakeService.start(async (channel) => {
    for (const queueId of ['1', '2', '3']) {
      announceCleanup(channel, queueId)
      flags.push(CleanupOpening.parse((await channel.receive()) ?? []).flags)
      await channel.stream.readUntil('E\0', 1_000_000)
      channel.send(SubmissionReply.encode({ status: 0, reason: '', stays: queueId !== '2' }))
      if (queueId === '2') return
      await channel.stream.readExactly(NEXT_CONVERSATION.length)
    }
  })
  const pool = new ChannelPool()
  const ids: string[] = []
  for (let count = 0; count < 3; count += 1) {
    const session = await openCleanup(service.path, { flags: 50, timeoutMs, pool })
    ids.push(session.queueId)
    session.send('E\0')
    t.same(await session.finish(), { status: 0, reason: '' })
  }
  t.same(ids, ['1', '2', '1'])
  t.equal(service.clientCount, 2, 'one that does not stay is connected to anew')
  t.same(flags, Array(3).fill(50 | CLEANUP_FLAGS.stay))
  pool.close()
})

t.test('cleanup: a server that is lost is a write error, a wrong one is refused', async (t) => {
  using service = FakeService.start(async (channel) => {
    announceCleanup(channel, 'X')
    await channel.receive()
  })
  const session = await openCleanup(service.path, { flags: 0, timeoutMs })
  session.send('E\0')
  t.equal((await session.finish()).status, CLEANUP_STATUS.write)

  using other = FakeService.start(async (channel) => {
    channel.announce('cleanup_protocol')
    await channel.receive()
  })
  await t.rejects(openCleanup(other.path, { flags: 0, timeoutMs }), AttrError)
})

t.test('postdrop: the same over a socket pair', async (t) => {
  const [ours, theirs] = pair()
  announcePostdrop(theirs, 'ABC')
  const session = await openPostdrop(ours.stream)
  t.equal(session.queueId, 'ABC')
  session.send('E\0')
  const finished = session.finish()
  t.equal(await theirs.stream.readExactly(2), 'E\0')
  theirs.send(SubmissionReply.encode({ status: 0, reason: '', stays: false }))
  await theirs.stream.end()
  t.same(await finished, { status: 0, reason: '' })

  const [mine, gone] = pair()
  announcePostdrop(gone, 'ABC')
  const cancelled = await openPostdrop(mine.stream)
  cancelled.cancel()
  t.equal(await gone.receive(), undefined)
  gone.close()
})

t.test('rewrite: requests, memory, server flags and unusable replies', async (t) => {
  let asked = 0
  let serverFlags = 0
  let transport = 'smtp'
  using service = FakeService.start(async (channel) => {
    channel.announce(rewriteProtocol)
    for (;;) {
      const attrs = await channel.receive()
      if (attrs === undefined) return
      asked += 1
      const request = parseRewriteRequest(attrs)
      if (request.request === 'rewrite') {
        channel.send(RewriteReply.encode({ serverFlags, address: `${request.address}.test` }))
      } else {
        const { address, request: kind } = request
        const reply = { serverFlags, transport, nexthop: kind, recipient: address, flags: 256 }
        channel.send(ResolveReplyList.encode(reply))
        transport = 'smtp'
      }
    }
  })
  const client = new RewriteClient({ path: service.path, timeoutMs })
  t.equal(await client.rewrite('local', 'a@b'), 'a@b.test')
  t.equal(await client.rewrite('local', 'a@b'), 'a@b.test')
  t.equal(asked, 1, 'the second from memory')
  t.equal(await client.rewrite('remote', 'a@b'), 'a@b.test')
  t.equal(asked, 2)
  serverFlags = 1
  const resolved = { transport: 'smtp', nexthop: 'resolve', recipient: 'a@b', flags: 256 }
  t.same(await client.resolve('', 'a@b'), resolved)
  t.equal(service.clientCount, 1)
  t.same(await client.resolveProbe('', 'a@b'), { ...resolved, nexthop: 'verify' })
  t.equal(service.clientCount, 2, 'server flags: reconnect')
  transport = ''
  const startedAtMs = Date.now()
  t.same(await client.resolve('', 'c@d'), { ...resolved, recipient: 'c@d' })
  t.ok(Date.now() - startedAtMs >= 900, 'an unusable reply is asked for again')
  client.close()
})

t.test('bounce and flush: one request, one status', async (t) => {
  using bounce = FakeService.start(async (channel) => {
    channel.announce(bounceProtocol)
    const request = parseBounceRequest((await channel.receive()) ?? [])
    channel.send(BounceReply.encode({ status: request.request === 0 ? 0 : -1 }))
  })
  const recipient = {
    originalRecipient: '',
    recipient: 'a@b',
    offset: -1,
    dsnOriginalRecipient: '',
    notifyFlags: 0,
  }
  const append = { request: 0, flags: 0, queueId: 'X', recipient, dsn: emptyDsn } as const
  t.equal(await sendBounceRequest(bounce.path, append, { timeoutMs }), 0)

  using flush = FakeService.start(async (channel) => {
    channel.announce(flushProtocol)
    const request = parseFlushRequest((await channel.receive()) ?? [])
    if (request !== undefined) channel.send(FlushReply.encode({ status: 4 }))
  })
  const send = { request: 'send_site', site: 'a.test' } as const
  t.equal(await sendFlushRequest(flush.path, send, { timeoutMs }), 4)
})

t.test('verify', async (t) => {
  using service = FakeService.start(async (channel) => {
    channel.announce(verifyProtocol)
    for (;;) {
      const attrs = await channel.receive()
      if (attrs === undefined) return
      const request = parseVerifyRequest(attrs)
      channel.send(
        request?.request === 'query'
          ? VerifyQueryReply.encode({ status: 0, recipientStatus: 3, reason: request.address })
          : VerifyUpdateReply.encode({ status: request?.recipientStatus === 9 ? -2 : 0 }),
      )
    }
  })
  const client = new VerifyClient({ path: service.path, timeoutMs })
  t.same(await client.query('a@b'), { status: 0, recipientStatus: 3, reason: 'a@b' })
  t.equal(await client.update('a@b', 2, 'no'), 0)
  t.equal(await client.update('a@b', 9, 'no'), -2)
  client.close()
})

t.test('anvil: a session has a connection to itself, which the next one inherits', async (t) => {
  const requests: string[] = []
  using service = FakeService.start(async (channel) => {
    channel.announce(anvilProtocol)
    for (;;) {
      const attrs = await channel.receive()
      if (attrs === undefined) return
      const { request, ident } = parseAnvilRequest(attrs)
      requests.push(`${request} ${ident}`)
      const status = ident === 'bad' ? -1 : 0
      if (status !== 0 || request === 'disconnect') {
        channel.sendList(AnvilStatusReply.format({ status }))
      } else if (request === 'connect') {
        channel.sendList(AnvilConnectReply.format({ status, count: 2, rate: 3 }))
      } else {
        channel.sendList(AnvilRateReply.format({ status, rate: 4 }))
      }
    }
  }, plain)
  const client = new AnvilClient({ path: service.path, timeoutMs })
  const one = client.session('smtp:192.0.2.1')
  t.same(await one.connect(), { count: 2, rate: 3 })
  const two = client.session('smtp:192.0.2.2')
  t.equal(await two.count('message'), 4)
  t.equal(service.clientCount, 2)
  await one.end()
  await one.end()
  const three = client.session('bad')
  t.equal(await three.connect(), undefined)
  t.equal(await three.count('auth'), undefined)
  t.equal(service.clientCount, 2)
  await client.session('silent').end()
  await Promise.all([two.end(), three.end()])
  t.same(requests.slice(0, 3), [
    'connect smtp:192.0.2.1',
    'message smtp:192.0.2.2',
    'disconnect smtp:192.0.2.1',
  ])
  client.close()
})

t.test('proxymap', async (t) => {
  using service = FakeService.start(async (channel) => {
    channel.announce(proxymapProtocol)
    const request = parseProxymapRequest((await channel.receive()) ?? [])
    const value = request?.request === 'lookup' ? `${request.table} ${request.key}` : ''
    channel.send(TableLookupReply.encode({ status: 0, value }))
  })
  const client = new ProxymapClient({ path: service.path, timeoutMs })
  t.same(await client.lookup('inline:{a=b}', 0, 'a'), { status: 0, value: 'inline:{a=b} a' })
  client.close()
})

t.test('scache: a descriptor goes in and comes out', async (t) => {
  const kept: Descriptor[] = []
  using service = FakeService.start(async (channel) => {
    channel.announce(scacheProtocol)
    for (;;) {
      const attrs = await channel.receive()
      if (attrs === undefined) return
      const request = parseScacheRequest(attrs)
      if (request?.request === 'save_endp') {
        channel.send(dummy)
        kept.push(await channel.stream.receiveDescriptor())
        channel.send(ScacheStatusReply.encode({ status: 0 }))
      } else {
        const descriptor = kept.pop()
        const status = descriptor === undefined ? 2 : 0
        const properties = { destinationProperties: 'd', endpointProperties: 'e' }
        channel.send(FoundDestinationReply.encode({ status, ...properties }))
        if (descriptor === undefined) continue
        Dummy.parse(await channel.receiveReply())
        await channel.stream.sendDescriptor(descriptor)
        Dummy.parse(await channel.receiveReply())
      }
    }
  })
  const client = new ScacheClient({ path: service.path, timeoutMs, retryDelayMs: 1 })
  const [read, write] = pipePair()
  await client.saveEndpoint(2, 'E', 'e', write)
  t.notOk(write.isOpen, 'given away')
  const found = await client.findDestination('D')
  t.match(found, { destinationProperties: 'd', endpointProperties: 'e' })
  t.equal(await client.findDestination('D'), undefined)
  found?.descriptor.write('hello')
  t.equal(read.readText(), 'hello')
  found?.descriptor.close()
  read.close()
  t.equal(service.clientCount, 1)
  client.close()
})

t.test('scache: a cache that cannot be reached is an empty one from then on', async (t) => {
  logged.lines.length = 0
  const client = new ScacheClient({ path: '/nonexistent/scache', timeoutMs, retryDelayMs: 1 })
  t.equal(await client.findEndpoint('E'), undefined)
  await client.saveDestination(2, 'D', 'p', 'E')
  const [read, write] = pipePair()
  await client.saveEndpoint(2, 'E', 'p', write)
  t.notOk(write.isOpen)
  t.equal(read.readText(), '', 'the connection is closed')
  read.close()
  t.equal(logged.lines.filter((line) => line.includes('disabling connection caching')).length, 1)
  client.close()
})
