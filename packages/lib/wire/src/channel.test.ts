/**
 * channel.test - lists over a socket pair: announcements, pieces, ends, limits
 */
import { socketPair } from '@posthorn/native/socket'
import { ByteStream, EndOfStreamError, StreamTimeoutError } from '@posthorn/stream/byte-stream'
import t from 'tap'
import { encodeAttrList, type Attr } from './attr-list.ts'
import { Channel } from './channel.ts'
import { FakeService } from './fake-service.ts'
import { plain } from './plain-list.ts'
import { AttrError } from './wire-error.ts'

function pair(): [Channel, Channel] {
  const [a, b] = socketPair()
  return [
    new Channel(new ByteStream(a, { timeoutMs: 5_000 })),
    new Channel(new ByteStream(b, { timeoutMs: 5_000 })),
  ]
}

const list: Attr[] = [
  ['request', 'x'],
  ['value', ''],
]

t.test('receive() puts a list together from single octets', async (t) => {
  const [a, b] = pair()
  const received = b.receive()
  for (const octet of encodeAttrList(list)) {
    a.send(octet)
    await a.stream.flush()
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.same(await received, list)
  a.close()
  t.equal(await b.receive(), undefined)
  b.close()
})

t.test('receive() leaves the next list alone', async (t) => {
  const [a, b] = pair()
  a.send(encodeAttrList(list) + encodeAttrList([]) + encodeAttrList(list))
  t.same(await b.receive(), list)
  t.same(await b.receive(), [])
  t.same(await b.receive(), list)
  t.equal(b.stream.buffered, '')
  a.close()
  b.close()
})

t.test('an end in the middle of a list is an error', async (t) => {
  const [a, b] = pair()
  a.send('request\0x\0')
  await a.stream.end()
  await t.rejects(b.receive(), AttrError)
  b.close()
})

t.test('a peer that left without reading what we said has just left', async (t) => {
  const [a, b] = pair()
  b.announce('x_protocol')
  await b.stream.flush()
  a.close()
  t.equal(await b.receive(), undefined)
  await t.rejects(b.receiveReply(), EndOfStreamError)
  b.close()
})

t.test('an endless list is refused while it comes', async (t) => {
  const [a, b] = pair()
  const received = t.rejects(b.receive(), AttrError)
  a.send('x'.repeat(2_000_000))
  await received
  b.close()
  a.close()
})

t.test('the announcement is checked, and gives its extra attributes', async (t) => {
  const [a, b] = pair()
  a.announce('cleanup_protocol', [['queue_id', 'ABC']])
  await b.expectAnnouncement('cleanup_protocol')
  t.same(b.announced, [['queue_id', 'ABC']])
  a.announce('other_protocol')
  await t.rejects(b.expectAnnouncement('cleanup_protocol'), AttrError)
  a.sendList([])
  await t.rejects(b.expectAnnouncement('cleanup_protocol'), AttrError)
  a.close()
  await t.rejects(b.expectAnnouncement('cleanup_protocol'), EndOfStreamError)
  b.close()
})

t.test('Channel.connect() in the plain encoding, and its failures', async (t) => {
  using service = FakeService.start(async (channel) => {
    channel.announce('anvil_protocol')
    channel.sendList((await channel.receive()) ?? [])
  }, plain)
  const channel = await Channel.connect(service.path, {
    protocol: 'anvil_protocol',
    timeoutMs: 5_000,
    encoding: plain,
  })
  channel.sendList(list)
  t.same(await channel.receiveReply(), list)
  channel.close()
  const options = { protocol: 'x', timeoutMs: 5_000, encoding: plain }
  await t.rejects(Channel.connect(service.path, options), AttrError)
  await t.rejects(Channel.connect(`${service.path}-not`, options), { code: 'ENOENT' })

  using silent = FakeService.start(async (channel) => {
    await channel.receive()
  })
  await t.rejects(Channel.connect(silent.path, { ...options, timeoutMs: 50 }), StreamTimeoutError)
})
