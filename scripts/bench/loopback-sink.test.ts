import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls'
import { issueCertificate } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import { LoopbackSink, loopbackAddresses } from './loopback-sink.ts'

/** Says it, and gives what comes back until it matches. */
async function say(socket: Socket, text: string, until: RegExp): Promise<string> {
  let said = ''
  const listen = (octets: Buffer): void => {
    said += octets.toString('latin1')
  }
  socket.on('data', listen)
  if (text !== '') socket.write(text)
  await waitFor(() => until.test(said), `a reply to ${text}`)
  socket.off('data', listen)
  return said
}

const transaction = 'MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nx\r\n.\r\n'
const done = /(?:250 2.0.0 Ok\r\n){3}354 go on\r\n250 2.0.0 Ok\r\n$/

t.test('LoopbackSink takes messages on all its addresses, and counts', async (t) => {
  const addresses = loopbackAddresses(2)
  const messages: string[] = []
  const sink = await LoopbackSink.start({
    addresses,
    onMessage: (recipients) => messages.push(recipients.join()),
  })
  t.teardown(async () => sink.stop())
  for (const address of addresses) {
    const socket = connect(sink.port, address)
    await say(socket, '', /^220 /)
    t.notMatch(await say(socket, 'EHLO a\r\n', /^250 /m), 'STARTTLS')
    await say(socket, transaction, done)
    socket.write('QUIT\r\n')
    await once(socket.resume(), 'close')
  }
  await sink.received(4, 1000)
  t.same(messages, ['c@d,e@f', 'c@d,e@f'])
  t.same(sink.counters, { connections: 2, handshakes: 0, resumptions: 0 })
})

t.test('LoopbackSink speaks TLS after STARTTLS, and counts handshakes', async (t) => {
  const { key, cert } = issueCertificate({ key: 'rsa', issuer: 'self' })
  const secureContext = createSecureContext({ key, cert, sessionIdContext: 'sink' })
  const sink = await LoopbackSink.start({ secureContext })
  t.teardown(async () => sink.stop())
  let session: Buffer | undefined
  for (const counters of [
    { connections: 1, handshakes: 1, resumptions: 0 },
    { connections: 2, handshakes: 1, resumptions: 1 },
  ]) {
    const socket = connect(sink.port, '127.0.0.1')
    await say(socket, '', /^220 /)
    t.match(await say(socket, 'EHLO a\r\n', /^250 /m), '250-STARTTLS')
    await say(socket, 'STARTTLS\r\n', /^220 /)
    const options = { socket, rejectUnauthorized: false, ...(session && { session }) }
    const secure: TLSSocket = connectTls(options)
    secure.on('session', (given: Buffer) => {
      session = given
    })
    await once(secure, 'secureConnect')
    t.notMatch(await say(secure, 'EHLO a\r\n', /^250 /m), 'STARTTLS')
    await say(secure, transaction, done)
    secure.destroy()
    t.same(sink.counters, counters)
  }
  await sink.received(4, 1000)
})

t.test('a silent LoopbackSink takes connections and says nothing', async (t) => {
  const sink = await LoopbackSink.start({ isSilent: true })
  t.teardown(async () => sink.stop())
  const socket = connect(sink.port, '127.0.0.1')
  let said = 0
  socket.on('data', () => (said += 1))
  socket.write('EHLO a\r\n')
  await waitFor(() => sink.counters.connections === 1)
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(said, 0)
  socket.destroy()
})
