import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Descriptor } from '@posthorn/native/descriptor'
import { Acceptor, listenOn, localAddress, pipePair, socketPair } from '@posthorn/native/socket'
import {
  ByteStream,
  connectStream,
  EndOfStreamError,
  StreamLimitError,
  StreamTimeoutError,
} from './byte-stream.ts'

function streamPair(timeoutMs = 5000): [ByteStream, ByteStream] {
  const [a, b] = socketPair()
  return [new ByteStream(a, { timeoutMs }), new ByteStream(b, { timeoutMs })]
}

async function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

t.test('a request and a reply, then the end', async (t) => {
  const [a, b] = streamPair()
  a.write('MAIL FROM:<>\r\n')
  t.equal(await b.readUntil('\r\n', 100), 'MAIL FROM:<>')
  b.write('250 Ok\r\n')
  await b.end()
  t.equal(b.isOpen, false)
  t.equal(await a.fill(), true)
  t.equal(a.takeLine(100), '250 Ok')
  t.equal(a.takeLine(100), undefined)
  t.equal(await a.fill(), false)
  t.equal(await a.fill(), false)
  await t.rejects(a.readExactly(1), EndOfStreamError)
  a.close()
  a.close()
  await t.rejects(a.untilReadable(), EndOfStreamError)
})

t.test('any chunking gives the same input', async (t) => {
  const octets = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((n) => String.fromCharCode(n)),
  })
  const line = octets.map((text) => text.replaceAll('\n', ' '))
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(20)), async (lines, cuts) => {
      const [a, b] = streamPair()
      const sent = lines.map((text) => `${text}\n`).join('')
      const sending = (async () => {
        let at = 0
        for (const cut of cuts) {
          a.write(
            cut % 2 === 0
              ? sent.slice(at, at + cut)
              : Buffer.from(sent.slice(at, at + cut), 'latin1'),
          )
          at += cut
          await a.flush()
        }
        a.write(sent.slice(at))
        await a.end()
      })()
      const received: string[] = []
      for (const [i, text] of lines.entries()) {
        if (i % 3 === 0) received.push(await b.readExactly(text.length + 1))
        else if (i % 3 === 1) received.push(`${await b.readUntil('\n', 1000)}\n`)
        else {
          let taken = b.takeLine(1000)
          for (; taken === undefined; taken = b.takeLine(1000)) await b.fill()
          received.push(text.endsWith('\r') ? `${taken}\r\n` : `${taken}\n`)
        }
      }
      const isEnd = !(await b.fill())
      await sending
      b.close()
      return isEnd && received.join('') === sent
    }),
    { numRuns: 200 },
  )
  t.pass()
})

t.test('a long delimiter over chunk borders', async (t) => {
  const [a, b] = streamPair()
  const reading = b.readUntil('\r\n.\r\n', 100)
  for (const octet of 'text\r\n.\r\r\n.\r\nnext') {
    a.write(octet)
    await a.flush()
    await turn()
  }
  t.equal(await reading, 'text\r\n.\r')
  t.equal(await b.readExactly(4), 'next')
  a.close()
  b.close()
})

t.test('limits', async (t) => {
  const [a, b] = streamPair()
  a.write('12345\n123456\n')
  t.equal(await b.readUntil('\n', 5), '12345')
  await t.rejects(b.readUntil('\n', 5), StreamLimitError)
  t.throws(() => b.takeLine(5), StreamLimitError)
  t.equal(b.takeLine(6), '123456')
  a.write('no end')
  await b.fill()
  t.throws(() => b.takeLine(5), StreamLimitError)
  t.equal(b.takeLine(6), undefined)
  t.equal(b.take(2), 'no')
  t.equal(b.buffered, ' end')
  a.close()
  b.close()
})

t.test('replies of one turn go out together, and before we wait for input', async (t) => {
  const [a, peer] = socketPair()
  const stream = new ByteStream(a)
  const writes: string[] = []
  const write = a.write.bind(a)
  a.write = (octets) => {
    writes.push(String(octets))
    return write(octets)
  }
  peer.write('one\ntwo\nthree\n')
  for (let i = 0; i < 3; i++) stream.write(`250 ${await stream.readUntil('\n', 100)}\n`)
  t.same(writes, [], 'not yet')
  const filling = stream.fill()
  t.same(writes, ['250 one\n250 two\n250 three\n'])
  peer.write('x')
  await filling
  stream.write('later')
  stream.write(' together')
  t.equal(stream.unwritten, 14)
  await turn()
  t.equal(writes[1], 'later together')
  stream.close()
  peer.close()
})

t.test('timeouts of input, output and all waits together', async (t) => {
  const [a, b] = streamPair(60)
  await t.rejects(a.fill(), StreamTimeoutError)
  a.write('x'.repeat(5_000_000))
  await t.rejects(a.flush(), StreamTimeoutError)
  await t.rejects(a.fill(), StreamTimeoutError, 'a peer that does not read is not read from')
  a.timeoutMs = 0
  a.deadlineMs = Date.now() + 60
  await t.rejects(a.end(), StreamTimeoutError)
  t.equal(a.isOpen, false)
  b.close()
})

t.test('large output arrives whole, strings and Buffers mixed', async (t) => {
  const [a, b] = streamPair()
  const text = 'caf\xe9'.repeat(300_000)
  a.write(text)
  a.write(Buffer.from(text, 'latin1'))
  a.write('end')
  const sending = a.end()
  t.ok((await b.readExactly(2 * text.length + 3)) === `${text}${text}end`)
  await sending
  b.close()
})

t.test('a peer that is gone', async (t) => {
  const [a, b] = streamPair()
  a.write('last')
  await a.end()
  b.write('nobody reads this')
  await t.rejects(b.flush(), { name: 'EndOfStreamError', cause: { code: 'EPIPE' } })
  b.write('nor this')
  t.equal(b.unwritten, 0)
  t.equal(await b.readExactly(4), 'last')
  b.close()
})

t.test('close() ends pending waits', async (t) => {
  const [a, b] = streamPair()
  const reading = a.fill()
  await t.rejects(async () => a.untilReadable(), /somebody waits already/)
  a.close()
  await t.rejects(reading, EndOfStreamError)
  b.close()
})

t.test('descriptors pass between lists, and nothing is read ahead', async (t) => {
  const [a, b] = streamPair()
  const [reader, writer] = pipePair()
  const receiving = (async () => {
    t.equal(await b.readUntil('\0', 100), 'save')
    b.write('dummy\0')
    const passed = await b.receiveDescriptor()
    b.write('status\0')
    return passed
  })()
  a.write('save\0')
  t.equal(await a.readUntil('\0', 100), 'dummy')
  await a.sendDescriptor(writer)
  t.equal(writer.isOpen, false)
  t.equal(await a.readUntil('\0', 100), 'status')
  const passed = await receiving
  passed.write('through')
  passed.close()
  t.equal(reader.readText(), 'through')
  const waiting = b.receiveDescriptor()
  a.close()
  await t.rejects(waiting, EndOfStreamError)
  b.close()
  reader.close()
})

t.test('untilReadable() takes nothing', async (t) => {
  const [a, b] = streamPair()
  const waiting = b.untilReadable()
  a.write('x')
  await waiting
  await b.untilReadable()
  t.equal(b.buffered, '')
  t.equal(await b.readExactly(1), 'x')
  a.close()
  await b.untilReadable()
  t.equal(await b.fill(), false)
  b.close()
})

t.test('watchHangup() calls once, for the end and for octets, and a read cancels it', async (t) => {
  const [a, b] = streamPair()
  let count = 0
  const gone = (): void => {
    count++
  }
  b.watchHangup(gone)
  const cancelled = b.fill()
  a.write('x')
  await cancelled
  await turn()
  t.equal(count, 0)
  b.take(1)
  b.watchHangup(gone)
  a.write('unasked')
  await turn()
  t.equal(count, 1)
  b.watchHangup(gone)
  await turn()
  t.equal(count, 2, 'what came before counts')
  await b.fill()
  b.take(7)
  b.watchHangup(gone)
  a.close()
  await turn()
  t.equal(count, 3)
  b.close()
})

t.test(
  'attach() goes on with another descriptor, and with what came through it before',
  async (t) => {
    const [near] = socketPair()
    const stream = new ByteStream(near, { timeoutMs: 5_000 })
    const [other, far] = socketPair()
    t.throws(() => {
      stream.attach(other)
    }, /there is one/)
    stream.detach().close()
    stream.attach(other, '220 wel')
    far.write('come\r\n')
    t.equal(await stream.readUntil('\r\n', 100), '220 welcome')
    far.close()
    stream.close()
  },
)

t.test('detach() gives the descriptor back', async (t) => {
  const [a, b] = streamPair()
  a.write('xy')
  await b.readExactly(1)
  t.throws(() => b.detach(), /input is buffered/)
  b.take(1)
  b.write('gone out')
  const descriptor = b.detach()
  t.equal(b.isOpen, false)
  t.equal(await a.readExactly(8), 'gone out')
  const again = new ByteStream(descriptor)
  a.write('on')
  t.equal(await again.readExactly(2), 'on')
  const reading = again.fill()
  t.throws(() => again.detach(), /somebody waits/)
  a.close()
  t.equal(await reading, false)
  again.close()
})

t.test('connectStream() to inet and unix sockets', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-stream-'))
  const path = join(folder, 'socket')
  const listeners = [
    listenOn({ family: 'inet', address: '127.0.0.1', port: 0 }, { backlog: 5 }),
    listenOn({ family: 'unix', path }, { backlog: 5 }),
  ]
  for (const listener of listeners) {
    const address = localAddress(listener)
    const acceptor = new Acceptor(listener, (client: Descriptor) => {
      const stream = new ByteStream(client)
      stream.write('hello')
      stream.end().catch((error: unknown) => {
        t.threw(error)
      })
    })
    acceptor.resume()
    const stream = await connectStream(address, { timeoutMs: 5000 })
    t.equal(await stream.readExactly(5), 'hello')
    t.equal(await stream.fill(), false)
    stream.close()
    acceptor.close()
    await t.rejects(connectStream(address), { code: 'ECONNREFUSED', syscall: 'connect' })
  }
  rmSync(folder, { recursive: true })
})

t.test('connectStream() waits for room in a backlog, for a time', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-stream-'))
  const path = join(folder, 'socket')
  const listener = listenOn({ family: 'unix', path }, { backlog: 0 })
  const first = await connectStream({ family: 'unix', path })
  await t.rejects(connectStream({ family: 'unix', path }, { timeoutMs: 30 }), StreamTimeoutError)
  const signal = AbortSignal.timeout(30)
  await t.rejects(connectStream({ family: 'unix', path }, { signal }))
  const waiting = connectStream({ family: 'unix', path }, { timeoutMs: 5000 })
  const acceptor = new Acceptor(listener, (client) => {
    client.close()
  })
  acceptor.resume()
  const second = await waiting
  acceptor.close()
  first.close()
  second.close()
  rmSync(folder, { recursive: true })
})
