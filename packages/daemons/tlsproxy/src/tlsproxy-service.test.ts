/**
 * tlsproxy-service.test - sessions over socket pairs, with servers of node:tls at the other end
 */
import { createServer as createPlainServer } from 'node:net'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream, EndOfStreamError } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { tlsFindingOf } from '@posthorn/wire/tls-finding'
import {
  TLS_LEVELS,
  TlsContextList,
  TlsproxyClientRequest,
  TlsproxyOpening,
  tlsproxyProtocol,
  TLSPROXY_FLAGS,
} from '@posthorn/wire/tlsproxy-protocol'
import { AttrError } from '@posthorn/wire/wire-error'
import fc from 'fast-check'
import t from 'tap'
import {
  handOver,
  listen,
  newService,
  open,
  requestTo,
  tlsServer,
  type Request,
} from './test/client-role.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

t.beforeEach(() => {
  logged.lines.length = 0
})

/** The lines of the log since it was last asked, without what differs from run to run. */
function lines(port: number): string[] {
  return logged.lines
    .splice(0)
    .map((line) => line.replaceAll(`:${port}`, ':PORT'))
    .map((line) => line.replace(/(established to \S+) TLSv.*/, '$1 ...'))
    .map((line) => line.replace(/(TLS library problem: error:\w+:SSL routines:).*/, '$1...'))
}

t.test('a session from the request to its end', async (t) => {
  const port = await tlsServer(t, (socket) => {
    socket.write('220 welcome\r\n')
    socket.on('data', (octets: Buffer) => {
      socket.write(`heard ${octets.toString('latin1')}`)
    })
  })
  const { channel, plain, done } = await handOver(t, { port })
  const context = TlsContextList.parse(await channel.receiveReply())
  t.match(context, { level: TLS_LEVELS.encrypt, protocol: 'TLSv1.3', peer: /^mx\.test\[/ })
  t.equal(await plain.readUntil('\r\n', 100), '220 welcome')
  plain.write('EHLO a.test\r\n')
  t.equal(await plain.readUntil('\r\n', 100), 'heard EHLO a.test')
  plain.close()
  t.equal(await done, undefined)
  t.same(lines(port), [
    'CONNECT to [127.0.0.1]:PORT',
    'Untrusted TLS connection established to mx.test[127.0.0.1]:PORT: ...',
    'DISCONNECT [127.0.0.1]:PORT',
  ])
})

t.test('a client that wants no context gets plaintext only', async (t) => {
  const port = await tlsServer(t, (socket) => {
    socket.write('220 welcome\r\n')
  })
  const { plain, done } = await handOver(t, { port, flags: 2 })
  t.equal(await plain.readUntil('\r\n', 100), '220 welcome')
  plain.close()
  await done
})

t.test('a server that speaks no TLS', async (t) => {
  const port = await listen(
    t,
    createPlainServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.end('500 what?\r\n')
    }),
  )
  const { plain, done } = await handOver(t, { port })
  t.equal(await plain.fill(), false, 'the client hears no more')
  t.equal(await done, undefined)
  t.same(lines(port), [
    'CONNECT to [127.0.0.1]:PORT',
    'warning: TLS library problem: error:0A00010B:SSL routines:...',
    'TLS handshake failed for service=smtp peer=[127.0.0.1]:PORT',
    'DISCONNECT [127.0.0.1]:PORT',
  ])
})

t.test('a server that says nothing', async (t) => {
  const port = await listen(
    t,
    createPlainServer((socket) => {
      t.teardown(() => socket.destroy())
    }),
  )
  const { plain, done } = await handOver(t, { port, handshakeTimeoutSeconds: 1 })
  t.equal(await plain.fill(), false)
  await done
  t.same(lines(port), [
    'CONNECT to [127.0.0.1]:PORT',
    'warning: ciphertext read/write timeout for [127.0.0.1]:PORT',
    'TLS handshake failed for service=smtp peer=[127.0.0.1]:PORT',
    'DISCONNECT [127.0.0.1]:PORT',
  ])
})

t.test('no engine: status 0, and the client closes', async (t) => {
  const { status, plain, done } = await open(t, {
    port: 25,
    change: (request) => ({ ...request, init: { ...request.init, certFile: '/nonexistent' } }),
  })
  t.equal(status, 0)
  plain.close()
  t.equal(await done, undefined)
  t.same(lines(25).slice(-2), [
    'TLS handshake failed for service=smtp peer=[127.0.0.1]:PORT',
    'DISCONNECT [127.0.0.1]:PORT',
  ])
})

t.test('without an engine there is no server role, nor is there any other', async (t) => {
  for (const [flags, direction] of [
    [1, 'from'],
    [5, 'from'],
    [0, '(bogus_direction)'],
    [3, 'from'],
  ] as const) {
    const { status, plain, done } = await open(t, { port: 25, flags })
    t.equal(status, 0)
    plain.close()
    await done
    const isBad = flags === 0 || flags === 3
    t.same(lines(25), [
      `CONNECT ${direction} [127.0.0.1]:PORT`,
      ...(isBad ? [`warning: bad request flags: 0x${flags}`] : []),
      'TLS handshake failed for service=smtp peer=[127.0.0.1]:PORT',
      'DISCONNECT [127.0.0.1]:PORT',
    ])
  }
})

t.test('a malformed request ends the conversation', async (t) => {
  for (const octets of ['foo\0bar\0\0', 'remote_endpoint\0x\0flags\0', '\0']) {
    const [near, far] = socketPair()
    const server = new ByteStream(far)
    const done = newService().serve(server)
    const channel = new Channel(new ByteStream(near, { timeoutMs: 5_000 }))
    await channel.expectAnnouncement(tlsproxyProtocol)
    channel.send(octets)
    await channel.stream.flush()
    channel.close()
    await t.rejects(done, { code: 'POSTHORN_ATTR' }, JSON.stringify(octets))
    server.close()
  }
})

t.test('whatever a client sends, and however it leaves, the next one is served', async (t) => {
  const port = await tlsServer(t, (socket) => {
    socket.write('220 welcome\r\n')
  })
  const good =
    TlsproxyOpening.encode({
      remoteEndpoint: 'x',
      flags: 6,
      handshakeTimeoutSeconds: 1,
      sessionTimeoutSeconds: 1,
      serverId: 'x',
    }) + TlsproxyClientRequest.encode(requestTo(port))
  const mutation = fc.tuple(fc.nat(good.length - 1), fc.nat(40), fc.string({ maxLength: 5 }))
  await fc.assert(
    fc.asyncProperty(mutation, async ([at, removed, inserted]) => {
      const [near, far] = socketPair()
      const server = new ByteStream(far)
      const done = newService()
        .serve(server)
        .catch((error: unknown) => error)
        .finally(() => {
          server.close()
        })
      const client = new ByteStream(near, { timeoutMs: 5_000 })
      client.write(good.slice(0, at) + inserted + good.slice(at + removed))
      await client.flush()
      client.close()
      const outcome = await done
      t.ok(
        outcome === undefined ||
          outcome instanceof AttrError ||
          outcome instanceof EndOfStreamError,
        String(outcome),
      )
    }),
    { numRuns: 150 },
  )
  const { plain, done } = await handOver(t, { port, flags: 2 })
  t.equal(await plain.readUntil('\r\n', 100), '220 welcome')
  plain.close()
  await done
})

t.test('what was wrong with the certificate: only for who asks', async (t) => {
  const port = await tlsServer(t, () => undefined)
  const { sendFinding } = TLSPROXY_FLAGS
  const cases: [number, string[], string | undefined][] = [
    [6, [], undefined],
    [6 | sendFinding, [], 'untrusted-issuer'],
    [6 | sendFinding, ['mx.test'], 'untrusted-issuer'],
  ]
  for (const [flags, matches, expected] of cases) {
    const change = (request: Request): Request => ({
      ...request,
      start: { ...request.start, matches },
    })
    const { channel } = await handOver(t, { port, flags, change })
    const { peerStatus } = TlsContextList.parse(await channel.receiveReply())
    t.equal(tlsFindingOf(peerStatus), expected, String(flags))
    t.equal(peerStatus & 0xff, 1)
    channel.close()
  }
})
