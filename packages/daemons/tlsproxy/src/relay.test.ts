/**
 * relay.test - both directions, slow readers, and every way to end, over socket pairs
 */
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import t, { type Test } from 'tap'
import { relay } from './relay.ts'

/** A relay between two pairs: `client` and `server` are the far ends. */
function lab(t: Test, patienceMs = 0) {
  const [nearPlain, farPlain] = socketPair()
  const [nearSecured, farSecured] = socketPair()
  const client = new ByteStream(farPlain, { timeoutMs: 5_000 })
  const server = new ByteStream(farSecured, { timeoutMs: 5_000 })
  const inner = [new ByteStream(nearPlain), new ByteStream(nearSecured)] as const
  const done = relay(...inner, patienceMs)
  t.teardown(() => {
    client.close()
    server.close()
  })
  return { client, server, inner, done }
}

t.test('what one side says, the other hears', async (t) => {
  const { client, server, done } = lab(t)
  client.write('EHLO a.test\r\n')
  t.equal(await server.readUntil('\r\n', 100), 'EHLO a.test')
  server.write('250 ok\r\n')
  t.equal(await client.readUntil('\r\n', 100), '250 ok')
  client.close()
  t.equal(await server.fill(), false)
  t.equal(await done, 'ended')
})

t.test('a side that ends is heard to its last word', async (t) => {
  for (const isClient of [true, false]) {
    const { client, server, done } = lab(t)
    const [speaker, listener] = isClient ? [client, server] : [server, client]
    const words = 'x'.repeat(3_000_000)
    speaker.write(words)
    const ended = speaker.end()
    const heard = await listener.readExactly(words.length)
    t.equal(heard.length, words.length)
    t.equal(await listener.fill(), false)
    await ended
    t.equal(await done, 'ended')
  }
})

t.test('a side that does not read slows the other down, and nobody else', async (t) => {
  const { client, server, inner, done } = lab(t)
  // as much as all buffers between the two hold
  let written = 0
  while (inner[1].unwritten === 0 || client.unwritten === 0) {
    if (client.unwritten === 0) {
      client.write('y'.repeat(10_000))
      written += 10_000
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.ok(
    inner[1].unwritten + inner[0].buffered.length <= 65_536,
    'the relay holds no more than one read',
  )
  server.write('421 enough\r\n')
  t.equal(await client.readUntil('\r\n', 100), '421 enough', 'the other direction goes on')
  t.equal((await server.readExactly(written)).length, written)
  client.close()
  t.equal(await done, 'ended')
})

t.test('last words of a side that takes no more', async (t) => {
  const { client, server, inner, done } = lab(t)
  server.write('421 closing\r\n')
  await server.flush()
  server.close()
  client.write('MAIL FROM:<>\r\n')
  t.equal(await client.readUntil('\r\n', 100), '421 closing')
  t.equal(await client.fill(), false)
  t.equal(await done, 'ended')
  t.same(
    inner.map((stream) => stream.isOpen),
    [false, false],
  )
})

t.test('what was received with the handshake comes first', async (t) => {
  const [nearPlain, farPlain] = socketPair()
  const [nearSecured, farSecured] = socketPair()
  const [plain, secured] = [new ByteStream(nearPlain), new ByteStream(nearSecured)]
  const client = new ByteStream(farPlain, { timeoutMs: 5_000 })
  const server = new ByteStream(farSecured)
  server.write('220 welcome\r\n')
  await server.flush()
  await secured.fill()
  const done = relay(plain, secured, 0)
  t.equal(await client.readUntil('\r\n', 100), '220 welcome')
  client.close()
  t.equal(await done, 'ended')
  server.close()
})

t.test('a side that takes nothing ends it; one that says nothing does not', async (t) => {
  const patienceMs = 200
  const { client, server, inner, done } = lab(t, patienceMs)
  client.write('NOOP\r\n')
  t.equal(await server.readUntil('\r\n', 100), 'NOOP')
  // more than all buffers between the two hold
  client.write('y'.repeat(4_000_000))
  t.equal(await done, 'stuck')
  t.same(
    inner.map((stream) => stream.isOpen),
    [false, false],
  )
})
