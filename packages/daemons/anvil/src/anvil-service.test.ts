/**
 * anvil-service.test - the service over socket pairs: replies as recorded from Postfix 3.7.11, statistics
 */
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { encodePlainList, plain } from '@posthorn/wire/plain-list'
import { Channel } from '@posthorn/wire/channel'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { AnvilService } from './anvil-service.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

async function connect(
  t: Test,
  service: AnvilService,
): Promise<{ channel: Channel; served: Promise<void> }> {
  const [a, b] = socketPair()
  const stream = new ByteStream(b, { timeoutMs: 5_000 })
  const served = service.serve(stream).finally(() => {
    stream.close()
  })
  const channel = new Channel(new ByteStream(a, { timeoutMs: 5_000 }), plain)
  t.teardown(() => {
    channel.close()
  })
  await channel.expectAnnouncement('anvil_protocol')
  return { channel, served }
}

async function ask(channel: Channel, request: string, ident: string): Promise<string> {
  channel.sendList([
    ['request', request],
    ['ident', ident],
  ])
  return encodePlainList(await channel.receiveReply())
    .replaceAll('\n', ' ')
    .trimEnd()
}

const at = new Date(2026, 10, 3, 1, 58, 51).getTime()

t.test('two connections, as Postfix answers them', async (t) => {
  const service = new AnvilService({ unitSeconds: 60, statusUpdateSeconds: 600, now: () => at })
  const { channel: a, served } = await connect(t, service)
  const { channel: b } = await connect(t, service)
  const script: [Channel, string, string, string][] = [
    [a, 'connect', 'x', 'status=0 count=1 rate=1'],
    [a, 'connect', 'x', 'status=0 count=1 rate=2'],
    [a, 'connect', 'y', 'status=0 count=1 rate=1'],
    [a, 'lookup', 'x', 'status=0 count=0 rate=2 mail=0 rcpt=0 newtls=0 auth=0'],
    [a, 'lookup', 'y', 'status=0 count=1 rate=1 mail=0 rcpt=0 newtls=0 auth=0'],
    [a, 'disconnect', 'x', 'status=0'],
    [a, 'disconnect', 'y', 'status=0'],
    [a, 'lookup', 'y', 'status=0 count=0 rate=1 mail=0 rcpt=0 newtls=0 auth=0'],
    [a, 'message', 'z', 'status=0 rate=1'],
    [a, 'auth', 'z', 'status=0 rate=1'],
    [a, 'newtls', 'z', 'status=0 rate=1'],
    [a, 'newtls_status', 'z', 'status=0 rate=1'],
    [a, 'recipient', 'z', 'status=0 rate=1'],
    [a, 'lookup', 'z', 'status=0 count=1 rate=1 mail=1 rcpt=1 newtls=1 auth=1'],
    [a, 'newtls_status', 'never', 'status=0 rate=0'],
    [a, 'lookup', 'never', 'status=0 count=0 rate=0 mail=0 rcpt=0 newtls=0 auth=0'],
    [a, 'disconnect', 'never', 'status=0'],
    [b, 'connect', 'z', 'status=0 count=2 rate=2'],
    [a, 'disconnect', 'z', 'status=0'],
    [b, 'lookup', 'z', 'status=0 count=1 rate=2 mail=1 rcpt=1 newtls=1 auth=1'],
    [b, 'connect', 'w', 'status=0 count=1 rate=1'],
    [b, 'disconnect', 'w', 'status=0'],
    [a, 'message', 'm', 'status=0 rate=1'],
    [b, 'message', 'm', 'status=0 rate=2'],
    [b, 'disconnect', 'm', 'status=0'],
    [b, 'lookup', 'm', 'status=0 count=1 rate=1 mail=2 rcpt=0 newtls=0 auth=0'],
    [b, 'bogus', 'z', 'status=4294967295'],
  ]
  for (const [channel, request, ident, reply] of script) {
    t.equal(await ask(channel, request, ident), reply, `${request} ${ident}`)
  }
  a.close()
  await served
  t.match(await ask(b, 'lookup', 'm'), 'count=0', 'a connection that closes gives its client up')

  t.match(logged.lines.pop(), /unrecognized request: "bogus", ignored$/)
  service.stop()
  t.same(logged.lines, [
    'statistics: max connection rate 2/60s for (x) at Nov  3 01:58:51',
    'statistics: max connection count 2 for (z) at Nov  3 01:58:51',
    'statistics: max message rate 2/60s for (m) at Nov  3 01:58:51',
    'statistics: max recipient rate 1/60s for (z) at Nov  3 01:58:51',
    'statistics: max newtls rate 1/60s for (z) at Nov  3 01:58:51',
    'statistics: max auth rate 1/60s for (z) at Nov  3 01:58:51',
    'statistics: max cache size 5 at Nov  3 01:58:51',
  ])
  logged.lines.length = 0
  service.stop()
  t.same(logged.lines, [], 'nothing happened since')
})

t.test('a malformed request costs the connection, not the service', async (t) => {
  const service = new AnvilService({ unitSeconds: 60, statusUpdateSeconds: 0 })
  const bad = await connect(t, service)
  bad.channel.sendList([['request', 'connect']])
  await t.rejects(bad.served, { code: 'POSTHORN_ATTR' })
  const good = await connect(t, service)
  t.equal(await ask(good.channel, 'connect', 'x'), 'status=0 count=1 rate=1')
  service.stop()
})

t.test('whatever a client sends, the next one is served', async (t) => {
  const service = new AnvilService({ unitSeconds: 60, statusUpdateSeconds: 0 })
  const word = fc.constantFrom(
    'request',
    'ident',
    'connect',
    'disconnect',
    'message',
    'lookup',
    '',
    'x',
    '-1',
    '0',
    '\xff',
  )
  const octets = fc.array(fc.tuple(word, fc.constantFrom('\n', '\n\n', '=', '')), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(octets, async (parts) => {
      const bad = await connect(t, service)
      bad.channel.send(parts.flat().join(''))
      await bad.channel.stream.flush()
      bad.channel.close()
      bad.served.catch(() => undefined)
      const good = await connect(t, service)
      t.match(await ask(good.channel, 'lookup', 'never'), 'status=0 count=0')
      good.channel.close()
    }),
    { numRuns: 60 },
  )
})
