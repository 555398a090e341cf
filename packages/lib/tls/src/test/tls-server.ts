/**
 * tls-server - a server for one behaviour, and a client's stream to it
 */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createSecureContext, TLSSocket, type SecureContextOptions } from 'node:tls'
import type { SocketAddress } from '@posthorn/native/socket'
import { connectStream, type ByteStream } from '@posthorn/stream/byte-stream'

export interface ServerBehaviour {
  readonly context?: SecureContextOptions
  readonly requestCert?: boolean
  /** Refuses who has no certificate that it knows. */
  readonly demandsCert?: boolean
  /** A Unix-domain socket there, instead of a TCP port. */
  readonly path?: string
  /** In plaintext, at once. */
  readonly greeting?: string
  /** Instead of TLS. */
  readonly plain?: (socket: Socket) => void
  /** With the connection, when the handshake is done. */
  readonly secured?: (socket: TLSSocket) => void
}

export interface TestServer {
  readonly connect: () => Promise<ByteStream>
  readonly accepted: readonly TLSSocket[]
}

/** Gone with the test. */
export async function serve(
  t: { teardown: (undo: () => unknown) => unknown },
  behaviour: ServerBehaviour,
): Promise<TestServer> {
  const secureContext = createSecureContext(behaviour.context)
  const sockets = new Set<Socket>()
  const accepted: TLSSocket[] = []
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    if (behaviour.plain !== undefined) {
      behaviour.plain(socket)
      return
    }
    if (behaviour.greeting !== undefined) socket.write(behaviour.greeting)
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext,
      requestCert: behaviour.requestCert === true || behaviour.demandsCert === true,
      rejectUnauthorized: behaviour.demandsCert === true,
    })
    accepted.push(secured)
    secured.on('error', () => undefined)
    secured.on('secure', () => behaviour.secured?.(secured))
  })
  const { path } = behaviour
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address: SocketAddress =
    path === undefined
      ? { family: 'inet', address: '127.0.0.1', port: (server.address() as AddressInfo).port }
      : { family: 'unix', path }
  return {
    accepted,
    connect: async () => connectStream(address, { timeoutMs: 5000 }),
  }
}
