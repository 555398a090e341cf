import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { connectResult, connectTo, peerAddress } from '@posthorn/native/socket'
import t, { type Test } from 'tap'
import { freePort } from './free-port.ts'
import { ScriptedPeer, type PeerOptions } from './scripted-peer.ts'
import { issueCertificate, rootPem } from './test-certificates.ts'
import { waitFor } from './wait-for.ts'

interface Talk {
  readonly socket: Socket
  /** All that came so far. */
  heard: () => string
  /** Says a line and waits for text. */
  say: (line: string, until: string) => Promise<void>
}

function talkOver(socket: Socket): Talk {
  let heard = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', (octets: Buffer) => (heard += octets.toString('latin1')))
  return {
    socket,
    heard: () => heard,
    say: async (line, until) => {
      if (line !== '') socket.write(`${line}\r\n`)
      await waitFor(() => heard.includes(until), until)
    },
  }
}

async function started(t: Test, options: PeerOptions): Promise<[ScriptedPeer, Talk]> {
  const peer = await ScriptedPeer.start(options)
  t.teardown(async () => peer.close())
  const talk = talkOver(connect(peer.port, '127.0.0.1'))
  t.teardown(() => talk.socket.destroy())
  return [peer, talk]
}

/** Whether the connection ended with an error: a reset, as a rule. */
async function endOf(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => socket.once('close', resolve))
}

async function secured({ socket }: Talk, options = {}): Promise<[Talk, TLSSocket]> {
  socket.removeAllListeners('data')
  const secure = connectTls({ socket, servername: 'peer.test', ca: rootPem(), ...options })
  await once(secure, 'secureConnect')
  return [talkOver(secure), secure]
}

t.test('ScriptedPeer goes over to TLS', async (t) => {
  const { key, cert } = issueCertificate({ names: ['client.test'], usage: 'client' })
  const [peer, talk] = await started(t, {
    extensions: ['PIPELINING'],
    tls: { requestCert: true, extensions: ['AUTH PLAIN'] },
    replies: {
      'MAIL FROM:<a>': (_, session) => (session.tls === undefined ? '530 no' : '250 yes'),
    },
  })
  await talk.say('EHLO client.test', '250 STARTTLS\r\n')
  t.match(talk.heard(), '250-PIPELINING')
  await talk.say('MAIL FROM:<a>', '530 no')
  await talk.say('STARTTLS', '220 2.0.0')
  const [inside] = await secured(talk, { key, cert })
  await inside.say('EHLO client.test', '250 AUTH PLAIN\r\n')
  t.notMatch(inside.heard(), 'STARTTLS')
  await inside.say('MAIL FROM:<a>', '250 yes')
  const [session] = peer.sessions
  t.match(session?.tls, { protocol: 'TLSv1.3', servername: 'peer.test', client: 'client.test' })
  t.same(session?.tlsCommands, ['EHLO client.test', 'MAIL FROM:<a>'])
  t.match(
    session?.received,
    /STARTTLS\r\n\[TLS TLSv1.3 \S+ sni=peer.test client=client.test\]\r\nEHLO/,
  )
})

t.test('ScriptedPeer speaks TLS before the greeting', async (t) => {
  const [, talk] = await started(t, { tls: { isWrapper: true } })
  const [inside] = await secured(talk)
  await inside.say('', '220 peer.test')
  await inside.say('QUIT', '221')
})

t.test('ScriptedPeer says something else than a handshake, and hangs up after one', async (t) => {
  const octets = '\x15\x03\x03\x00\x02\x02\x28'
  const [peer, talk] = await started(t, {
    tls: {},
    replies: { handshake: { octets, close: true } },
  })
  await talk.say('STARTTLS', '220 2.0.0')
  await t.rejects(secured(talk), /handshake failure/)
  t.match(peer.sessions[0]?.received, /STARTTLS\r\n\[ClientHello\]\r\n$/)
  const [, other] = await started(t, { tls: {}, replies: { secured: { close: true } } })
  await other.say('STARTTLS', '220 2.0.0')
  const [inside] = await secured(other)
  await once(inside.socket, 'close')
})

t.test('ScriptedPeer hangs up with a reset, in the clear and under TLS', async (t) => {
  const replies = { NOOP: { text: '250 bye', reset: true } }
  const [, talk] = await started(t, { replies })
  const closed = endOf(talk.socket)
  await talk.say('NOOP', '250 bye')
  t.equal(await closed, true, 'with an error')
  const [, other] = await started(t, { tls: {}, replies })
  await other.say('STARTTLS', '220 2.0.0')
  const [inside, socket] = await secured(other)
  const reset = endOf(socket)
  await inside.say('NOOP', '')
  t.equal(await reset, true, 'with an error under TLS')
})

t.test('ScriptedPeer talks octet by octet, unasked, and about challenges', async (t) => {
  const [peer, talk] = await started(t, {
    replies: {
      'AUTH LOGIN': '334 VXNlcm5hbWU6',
      '334 QQ==': '334 UGFzc3dvcmQ6',
      '334 Qg==': '535 5.7.8 no',
      VRFY: { text: '250 slowly', trickleMs: 1 },
      NOOP: { text: '250 ok', unasked: { text: '421 bye', delayMs: 1, close: true } },
    },
  })
  await talk.say('AUTH LOGIN', 'VXNlcm5hbWU6')
  await talk.say('QQ==', 'UGFzc3dvcmQ6')
  await talk.say('Qg==', '535 5.7.8 no')
  await talk.say('AUTH PLAIN AA==', '235 2.7.0')
  await talk.say('VRFY x', '250 slowly\r\n')
  await talk.say('NOOP', '421 bye')
  t.same(peer.commands, ['AUTH LOGIN', 'QQ==', 'Qg==', 'AUTH PLAIN AA==', 'VRFY x', 'NOOP'])
})

t.test('ScriptedPeer with a small window stops reading', async (t) => {
  const [peer, talk] = await started(t, {
    windowBytes: 4096,
    replies: { DATA: { text: '354 go', deafMs: Infinity } },
  })
  await talk.say('DATA', '354 go')
  const octets = 'x'.repeat(10_000_000)
  talk.socket.write(octets)
  await waitFor(
    () => talk.socket.bytesWritten > 0 && talk.socket.writableLength > 0,
    'a full buffer',
  )
  t.ok((peer.sessions[0]?.received.length ?? 0) < 1000)
})

t.test('ScriptedPeer does not answer', async (t) => {
  const port = await freePort()
  const peer = await ScriptedPeer.start({ isFull: true, port })
  t.teardown(async () => peer.close())
  const client = connectTo({ family: 'inet', address: '127.0.0.1', port })
  t.teardown(() => {
    client.close()
  })
  // over the loopback interface, the call would have ended with a connection or a refusal
  t.throws(() => peerAddress(client), { code: 'ENOTCONN' })
  t.doesNotThrow(() => {
    connectResult(client)
  })
})
