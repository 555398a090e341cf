import { once } from 'node:events'
import { constants } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import { ByteStream, EndOfStreamError, StreamTimeoutError } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { waitFor } from '@posthorn/testing/wait-for'
import { openClientEngine } from './client-engine.ts'
import { closeOrderly } from './orderly-close.ts'
import { makeCertificate } from './test/certificate-maker.ts'
import { clientInit, clientParams, clientStart } from './test/settings.ts'
import { TlsTransport } from './tls-transport.ts'
import { serve, type ServerBehaviour } from './test/tls-server.ts'

const certificate = makeCertificate({ subject: { CN: 'mx.good.test' } })
const context = { key: certificate.keyPem, cert: certificate.pem }

async function connect(
  t: Test,
  behaviour: ServerBehaviour = {},
): Promise<{
  stream: ByteStream
  peer: () => Promise<TLSSocket>
  lines: readonly string[]
}> {
  const server = await serve(t, { context, ...behaviour })
  const log = captureLog()
  t.teardown(log.restore)
  const engine = await openClientEngine(clientParams(), clientInit({ logLevel: '0' }))
  const stream = await server.connect()
  await engine?.start(stream, clientStart())
  return {
    stream,
    peer: async () => waitFor(() => server.accepted[0], 'the server'),
    lines: log.lines,
  }
}

t.test('a dialogue, then the end of the peer', async (t) => {
  const { stream, peer } = await connect(t)
  const server = await peer()
  server.on('data', (octets: Buffer) => server.write(`250 ${octets.toString('latin1')}`))
  stream.write('EHLO ')
  stream.write('client\r\n')
  t.equal(await stream.readUntil('\r\n', 100), '250 EHLO client')
  t.equal(stream.hasInput(), false)
  server.end('221 bye\r\n')
  t.equal(await stream.readUntil('\r\n', 100), '221 bye')
  t.equal(await stream.fill(), false)
  t.equal(await stream.fill(), false)
  stream.close()
})

t.test('octets of all values, and many of them, both ways', async (t) => {
  const { stream, peer } = await connect(t)
  const octets = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7 + (at >> 8)) & 255))
  const server = await peer()
  server.on('data', (part: Buffer) => server.write(part))
  stream.write(octets.toString('latin1'))
  stream.write(octets)
  await stream.flush()
  t.equal(await stream.readExactly(600_000), octets.toString('latin1').repeat(2))
  stream.close()
})

t.test('a peer that does not read makes flush() wait, until its time is over', async (t) => {
  const { stream, peer } = await connect(t)
  const server = await peer()
  server.pause()
  stream.timeoutMs = 100
  for (let round = 0; round < 200; round++) stream.write('x'.repeat(100_000))
  await t.rejects(stream.flush(), StreamTimeoutError)
  t.ok(stream.unwritten > 0)
  stream.close()
})

t.test('a peer that says nothing is a time-out; tickets are no words', async (t) => {
  const { stream } = await connect(t)
  stream.timeoutMs = 50
  await t.rejects(stream.fill(), StreamTimeoutError)
  t.equal(stream.hasInput(), false)
  stream.close()
})

t.test('an idle connection hears that the peer ends, or talks', async (t) => {
  for (const act of [
    (socket: TLSSocket) => socket.end(),
    (socket: TLSSocket) => socket.write('421 bye\r\n'),
  ]) {
    const { stream, peer } = await connect(t)
    const gone = new Promise<void>((resolve) => {
      stream.watchHangup(resolve)
    })
    act(await peer())
    await gone
    t.equal(stream.hasInput(), true)
    stream.close()
  }
})

t.test('a connection that is reset is a lost one', async (t) => {
  const socket = new Duplex({
    read: () => undefined,
    write: (_octets, _encoding, done) => {
      done()
    },
  })
  const stream = new ByteStream(new TlsTransport(socket))
  const ended = stream.fill()
  socket.destroy(
    Object.assign(new Error('read ECONNRESET'), { errno: -constants.errno.ECONNRESET }),
  )
  await t.rejects(ended, { name: 'EndOfStreamError', message: /Connection reset by peer/ })
  stream.write('QUIT\r\n')
  await t.rejects(stream.flush(), EndOfStreamError)
  stream.close()
})

t.test('a refusal that comes after the handshake is told', async (t) => {
  const { stream, lines } = await connect(t, { demandsCert: true })
  await t.rejects(stream.fill(), EndOfStreamError)
  t.equal(lines.length, 1)
  t.match(lines[0], /^warning: TLS library problem: error:0A00045C:SSL routines:.*number 116:$/)
  stream.close()
})

t.test('close() sends what is written, and says goodbye to TLS', async (t) => {
  const { stream, peer } = await connect(t)
  const server = await peer()
  let received = ''
  server.on('data', (octets: Buffer) => (received += octets.toString('latin1')))
  const ended = once(server, 'end')
  stream.write('QUIT\r\n')
  await stream.end()
  t.equal(stream.isOpen, false)
  await ended
  t.equal(received, 'QUIT\r\n')
})

t.test('a peer that reads late gets the last words, and the end', async (t) => {
  const { stream, peer } = await connect(t)
  const server = await peer()
  server.pause()
  let written = 0
  await waitFor(() => {
    if (stream.unwritten > 0) return true
    stream.write('w'.repeat(60_000))
    written += 60_000
    return false
  }, 'a peer that takes no more')
  // what the stream has kept for itself is dropped, not what node:tls has
  const taken = written - stream.unwritten
  stream.close()
  const hasEnded = once(server, 'end')
  let received = 0
  server.on('data', (octets: Buffer) => (received += octets.length))
  server.resume()
  await hasEnded
  t.equal(received, taken)
})

/** A socket that is never done with writing. */
function stuckSocket(): Duplex {
  return new Duplex({ read: () => undefined, write: () => undefined })
}

t.test('closeOrderly() waits no longer than it may', async (t) => {
  const alive = setInterval(() => undefined, 1000)
  t.teardown(() => {
    clearInterval(alive)
  })
  const socket = stuckSocket()
  socket.write('221 bye')
  closeOrderly(socket, false, 1)
  t.equal(socket.destroyed, false)
  await once(socket, 'close')
})

t.test('closeOrderly() waits for the end of the peer where it is told to', async (t) => {
  for (const awaitsPeer of [true, false]) {
    const read: Buffer[] = [Buffer.from('250 late'), Buffer.from('and more')]
    const socket = new Duplex({
      read: () => undefined,
      write: (_octets, _encoding, done) => {
        done()
      },
    })
    socket.on('readable', () => undefined)
    closeOrderly(socket, awaitsPeer)
    await once(socket, 'finish')
    t.equal(socket.destroyed, !awaitsPeer)
    if (!awaitsPeer) continue
    for (const octets of read) socket.push(octets)
    socket.push(null)
    await once(socket, 'close')
    t.equal(socket.readableLength, 0)
  }
})

t.test('over a Unix-domain socket', async (t) => {
  const path = join(temporaryDirectory(t), 'lmtp')
  const { stream } = await connect(t, { path, secured: (socket) => socket.write('220 ready\r\n') })
  t.equal(await stream.readUntil('\r\n', 100), '220 ready')
  stream.close()
})

t.test('a secured stream cannot give its descriptor away', async (t) => {
  const { stream } = await connect(t)
  t.throws(() => stream.detach(), /secured/)
  stream.close()
})

t.test('a connection that failed before anybody listened is a lost one', async (t) => {
  const socket = new Duplex({ read: () => undefined })
  socket.on('error', () => undefined)
  socket.destroy(new Error('something'))
  await new Promise((resolve) => socket.once('close', resolve))
  const stream = new ByteStream(new TlsTransport(socket))
  await t.rejects(stream.fill(), EndOfStreamError)
  stream.close()
})
