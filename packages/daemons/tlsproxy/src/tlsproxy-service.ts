/**
 * tlsproxy-service - one session: the request, the handshake, the conversation
 *
 * Each step of the request has 100 seconds, or ipc_timeout if that is less; for the handshake, and for a side that takes nothing, the client says how long
 * it waits. A session in which nobody says anything goes on: the client ends it by closing its connection.
 * A handshake that fails shows to the client as a connection that is closed.
 *
 * Source: Postfix 3.7 tlsproxy(8).
 */
import { log } from '@posthorn/log/log'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { HandshakeError, type ClientEngine } from '@posthorn/tls/client-engine'
import { Channel } from '@posthorn/wire/channel'
import {
  TlsContextList,
  TLSPROXY_FLAGS,
  TlsproxyClientRequest,
  TlsproxyOpening,
  tlsproxyProtocol,
  TlsproxyStatus,
} from '@posthorn/wire/tlsproxy-protocol'
import type { EngineCache } from './engine-cache.ts'
import { relay } from './relay.ts'

type Opening = ReturnType<typeof TlsproxyOpening.parse>
type ClientRequest = ReturnType<typeof TlsproxyClientRequest.parse>

const setupTimeoutMs = 100_000
const DIRECTIONS = { server: 'from', client: 'to', bad: '(bogus_direction)' } as const

export class TlsproxyService {
  readonly #engines: EngineCache

  constructor(engines: EngineCache) {
    this.#engines = engines
  }

  /** One session. @throws {AttrError | StreamTimeoutError} what came is no request; the connection must be closed */
  async serve(plain: ByteStream): Promise<void> {
    if (plain.timeoutMs === 0 || plain.timeoutMs > setupTimeoutMs) plain.timeoutMs = setupTimeoutMs
    const channel = new Channel(plain)
    channel.announce(tlsproxyProtocol)
    const attrs = await channel.receive()
    if (attrs === undefined) return
    const opening = TlsproxyOpening.parse(attrs)
    const { remoteEndpoint, serverId } = opening
    const role = roleOf(opening)
    log.info(`CONNECT ${DIRECTIONS[role]} ${remoteEndpoint}`)
    let secured: ByteStream | undefined
    try {
      secured = await this.#secure(channel, opening, role)
      if (secured === undefined) return
      const how = await relay(plain, secured, opening.sessionTimeoutSeconds * 1000)
      if (how === 'stuck') warnOfTimeout(opening)
    } finally {
      if (secured === undefined) {
        log.info(`TLS handshake failed for service=${serverId} peer=${remoteEndpoint}`)
      }
      secured?.close()
      log.info(`DISCONNECT ${remoteEndpoint}`)
    }
  }

  /** Up to the end of the handshake. @returns undefined: it came to nothing, and that was logged */
  async #secure(
    channel: Channel,
    opening: Opening,
    role: keyof typeof DIRECTIONS,
  ): Promise<ByteStream | undefined> {
    if (role === 'bad') log.warning(`bad request flags: 0x${opening.flags.toString(16)}`)
    if (role !== 'client') return refuse(channel)
    const request = TlsproxyClientRequest.parse(await channel.receiveReply())
    const engine = await this.#engines.get(request.params, request.init)
    if (engine === undefined) return refuse(channel)
    channel.send(TlsproxyStatus.encode({ status: 1 }))
    const secured = new ByteStream(await channel.stream.receiveDescriptor())
    return handshake(engine, secured, channel, opening, request)
  }
}

function roleOf({ flags }: Opening): keyof typeof DIRECTIONS {
  const isServer = (flags & TLSPROXY_FLAGS.server) !== 0
  const isClient = (flags & TLSPROXY_FLAGS.client) !== 0
  if (isServer === isClient) return 'bad'
  return isServer ? 'server' : 'client'
}

/** The client closes; a request that nobody reads would make that a reset. */
async function refuse(channel: Channel): Promise<undefined> {
  channel.send(TlsproxyStatus.encode({ status: 0 }))
  while (await channel.untilInput()) channel.stream.take(channel.stream.buffered.length)
}

async function handshake(
  engine: ClientEngine,
  secured: ByteStream,
  channel: Channel,
  opening: Opening,
  { start }: ClientRequest,
): Promise<ByteStream | undefined> {
  try {
    const timeoutSeconds = opening.handshakeTimeoutSeconds
    const context = await engine.start(secured, { ...start, timeoutSeconds })
    if ((opening.flags & TLSPROXY_FLAGS.sendContext) !== 0) {
      channel.send(TlsContextList.encode(context))
    }
    return secured
  } catch (error) {
    secured.close()
    if (!(error instanceof HandshakeError)) throw error
    if (error.isTimeout) warnOfTimeout(opening)
    return undefined
  }
}

function warnOfTimeout({ remoteEndpoint }: Opening): void {
  log.warning(`ciphertext read/write timeout for ${remoteEndpoint}`)
}
