/**
 * client-role - what smtp(8) asks of tlsproxy(8), with servers of node:tls at the other end
 */
import { once } from 'node:events'
import type { Server } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { MainConfig } from '@posthorn/config/main-config'
import { connectStream } from '@posthorn/stream/byte-stream'
import { issueCertificate } from '@posthorn/testing/test-certificates'
import { openClientEngine } from '@posthorn/tls/client-engine'
import { readClientParams } from '@posthorn/tls/client-params'
import { TLS_LEVELS, TlsproxyClientRequest } from '@posthorn/wire/tlsproxy-protocol'
import type { Test } from 'tap'
import { EngineCache } from '../engine-cache.ts'
import { readOwnSettings } from '../own-settings.ts'
import { TlsproxyService } from '../tlsproxy-service.ts'
import { openSession, type ProxySession } from './proxy-session.ts'

const { key, cert } = issueCertificate({ names: ['mx.test'] })
const main = { smtp_tls_security_level: 'may', smtp_tls_loglevel: '1', ipc_timeout: '5s' }
export type Request = Parameters<typeof TlsproxyClientRequest.encode>[0]

export async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

/** A TLS server; `serve` gets each connection after its handshake. */
export async function tlsServer(
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

export interface Asked {
  readonly port: number
  readonly flags?: number
  readonly handshakeTimeoutSeconds?: number
  readonly change?: (request: Request) => Request
}

export function requestTo(port: number): Request {
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
export function newService(): TlsproxyService {
  return new TlsproxyService(
    new EngineCache(async (params, init) => openClientEngine(params, init, { isProxy: true })),
  )
}

/** Asks a fresh tlsproxy(8) for a session with the server on `port`, up to the status. */
export async function open(t: Test, asked: Asked): Promise<ProxySession> {
  const { port, flags = 6, handshakeTimeoutSeconds = 5, change } = asked
  const opening = {
    remoteEndpoint: `[127.0.0.1]:${port}`,
    flags,
    handshakeTimeoutSeconds,
    sessionTimeoutSeconds: 5,
    serverId: 'smtp',
  }
  const request = requestTo(port)
  const encoded = TlsproxyClientRequest.encode(change?.(request) ?? request)
  return openSession(t, newService(), opening, (flags & 2) === 0 ? '' : encoded)
}

/** As open(), and gives the connection away. */
export async function handOver(t: Test, asked: Asked): Promise<ProxySession> {
  const session = await open(t, asked)
  t.equal(session.status, 1)
  const stream = await connectStream({ family: 'inet', address: '127.0.0.1', port: asked.port })
  await session.plain.sendDescriptor(stream.detach())
  return session
}
