/**
 * tlsproxy-service.test - sessions over socket pairs, with servers of node:tls at the other end
 */
import { once } from 'node:events'
import { createServer as createPlainServer, type Server } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream, connectStream, EndOfStreamError } from '@posthorn/stream/byte-stream'
import { issueCertificate } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { openClientEngine } from '@posthorn/tls/client-engine'
import { readClientParams } from '@posthorn/tls/client-params'
import { Channel } from '@posthorn/wire/channel'
import { tlsFindingOf } from '@posthorn/wire/tls-finding'
import {
  TLS_LEVELS,
  TlsContextList,
  TlsproxyClientRequest,
  TlsproxyOpening,
  tlsproxyProtocol,
  TLSPROXY_FLAGS,
  TlsproxyStatus,
} from '@posthorn/wire/tlsproxy-protocol'
import { AttrError } from '@posthorn/wire/wire-error'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { EngineCache } from './engine-cache.ts'
import { readOwnSettings } from './own-settings.ts'
import { TlsproxyService } from './tlsproxy-service.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

const { key, cert } = issueCertificate({ names: ['mx.test'] })
const main = { smtp_tls_security_level: 'may', smtp_tls_loglevel: '1', ipc_timeout: '5s' }
type Request = Parameters<typeof TlsproxyClientRequest.encode>[0]

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

/** A TLS server; `serve` gets each connection after its handshake. */
async function tlsServer(
  t: Test,
  serve: (socket: TLSSocket) => void,
  options: TlsOptions = {},
): Promise<number> {
  const server = createServer({ key, cert, ...options }, (socket) => {
    socket.on('error', () => socket.destroy())
    t.teardown(() => socket.destroy())
    serve(socket)
  })
  server.on('tlsClientError', () => undefined)
  return listen(t, server)
}

interface Asked {
  readonly port: number
  readonly flags?: number
  readonly handshakeTimeoutSeconds?: number
  readonly change?: (request: Request) => Request
}

function requestTo(port: number): Request {
  const config = MainConfig.of(main)
  const init = readOwnSettings(config)?.init
  if (init === undefined) throw new Error('no settings')
  return {
    params: readClientParams(config),
    init,
    start: {
      timeoutSeconds: 5,
      level: TLS_LEVELS.encrypt,
      nexthop: 'mx.test',
      host: 'mx.test',
      peer: `mx.test[127.0.0.1]:${port}`,
      sni: '',
      serverId: 'smtp&mx.test&mx.test&127.0.0.1&',
      helo: 'mx.test',
      protocols: '>=TLSv1.2',
      cipherGrade: 'medium',
      cipherExclusions: 'eNULL',
      matches: [],
      digest: 'sha256',
      anchors: undefined,
    },
  }
}

/** Without a session cache: tlsmgr(8) is not there. */
function newService(): TlsproxyService {
  return new TlsproxyService(
    new EngineCache(async (params, init) => openClientEngine(params, init, { isProxy: true })),
  )
}

/** Asks a fresh tlsproxy(8) for a session with the server on `port`, up to the status. */
async function open(t: Test, asked: Asked) {
  logged.lines.length = 0
  const service = newService()
  const [near, far] = socketPair()
  const server = new ByteStream(far)
  const done = service
    .serve(server)
    .then(() => undefined)
    .catch((error: unknown) => error)
    .finally(() => {
      server.close()
    })
  const channel = new Channel(new ByteStream(near, { timeoutMs: 10_000 }))
  t.teardown(() => {
    channel.close()
  })
  await channel.expectAnnouncement(tlsproxyProtocol)
  channel.send(
    TlsproxyOpening.encode({
      remoteEndpoint: `[127.0.0.1]:${asked.port}`,
      flags: asked.flags ?? 6,
      handshakeTimeoutSeconds: asked.handshakeTimeoutSeconds ?? 5,
      sessionTimeoutSeconds: 5,
      serverId: 'smtp',
    }),
  )
  if (((asked.flags ?? 6) & 2) !== 0) {
    const request = requestTo(asked.port)
    channel.send(TlsproxyClientRequest.encode(asked.change?.(request) ?? request))
  }
  const { status } = TlsproxyStatus.parse(await channel.receiveReply())
  return { channel, plain: channel.stream, status, done }
}

/** As open(), and gives the connection away. */
async function handOver(t: Test, asked: Asked) {
  const session = await open(t, asked)
  t.equal(session.status, 1)
  const stream = await connectStream({ family: 'inet', address: '127.0.0.1', port: asked.port })
  await session.plain.sendDescriptor(stream.detach())
  return session
}

/** The lines of the log, without what differs from run to run. */
function lines(port: number): string[] {
  return logged.lines
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

t.test('the last words of a server, and of a client', async (t) => {
  const words = 'z'.repeat(2_000_000)
  const port = await tlsServer(t, (socket) => {
    socket.end(words)
  })
  const first = await handOver(t, { port, flags: 2 })
  t.equal((await first.plain.readExactly(words.length)).length, words.length)
  t.equal(await first.plain.fill(), false)
  await first.done

  let heard = 0
  let hasEnded = false
  const listening = await tlsServer(t, (socket) => {
    socket.on('data', (octets: Buffer) => {
      heard += octets.length
    })
    socket.on('end', () => {
      hasEnded = true
      socket.end()
    })
  })
  const second = await handOver(t, { port: listening })
  await second.channel.receiveReply()
  second.plain.write(words)
  await second.plain.end()
  await second.done
  await waitFor(() => hasEnded, 'the end of TLS')
  t.equal(heard, words.length)
})

t.test('a server that is slow to read holds the client up', async (t) => {
  let reading: TLSSocket | undefined
  const port = await tlsServer(t, (socket) => {
    socket.pause()
    reading = socket
  })
  const { channel, plain, done } = await handOver(t, { port })
  await channel.receiveReply()
  let written = 0
  await waitFor(() => {
    if (plain.unwritten > 0) return true
    plain.write('w'.repeat(200_000))
    written += 200_000
    return false
  }, 'the client to be held up')
  let heard = 0
  reading?.on('data', (octets: Buffer) => {
    heard += octets.length
  })
  reading?.resume()
  await waitFor(() => heard === written, 'the server to hear all of it')
  plain.close()
  await done
})

t.test('the last words of a client, for a server that reads them later', async (t) => {
  let reading: TLSSocket | undefined
  const port = await tlsServer(t, (socket) => {
    socket.pause()
    reading = socket
  })
  const { channel, plain, done } = await handOver(t, { port })
  await channel.receiveReply()
  let written = 0
  await waitFor(() => {
    if (plain.unwritten > 0) return true
    plain.write('w'.repeat(200_000))
    written += 200_000
    return false
  }, 'the client to be held up')
  const ended = plain.end()
  let heard = 0
  // so much that tlsproxy(8) gets rid of what it has, but the kernel not of all
  reading?.on('readable', () => {
    if (heard < written / 2) heard += (reading?.read() as Buffer | null)?.length ?? 0
  })
  await ended
  await done
  let isAll = false
  reading?.removeAllListeners('readable')
  reading?.on('end', () => (isAll = true))
  reading?.on('data', (octets: Buffer) => {
    heard += octets.length
  })
  reading?.resume()
  await waitFor(() => isAll, 'the end of TLS')
  t.equal(heard, written)
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
