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
import { HandshakeError } from '@posthorn/tls/client-engine'
import { serverStart, type ServerEngine, type TlsServerSettings } from '@posthorn/tls/server-engine'
import { Channel } from '@posthorn/wire/channel'
import {
  TlsContextList,
  TLSPROXY_FLAGS,
  TlsproxyClientRequest,
  TlsproxyOpening,
  tlsproxyProtocol,
  TlsproxyStatus,
  type TlsContext,
} from '@posthorn/wire/tlsproxy-protocol'
import type { EngineCache } from './engine-cache.ts'
import { relay } from './relay.ts'

type Opening = ReturnType<typeof TlsproxyOpening.parse>

const setupTimeoutMs = 100_000

export class TlsproxyService {
  readonly #engines: EngineCache
  readonly #server: ServerRole | undefined

  /** Without `server` there is no server role. */
  constructor(engines: EngineCache, server?: ServerRole) {
    this.#engines = engines
    this.#server = server
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
    log.info(`CONNECT ${directionOf(opening)} ${remoteEndpoint}`)
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
  async #secure(channel: Channel, opening: Opening, role: Role): Promise<ByteStream | undefined> {
    const shakeHands = await this.#engine(channel, opening, role)
    if (shakeHands === undefined) return refuse(channel)
    channel.send(TlsproxyStatus.encode({ status: 1 }))
    const secured = new ByteStream(await channel.stream.receiveDescriptor())
    return handshake(shakeHands, secured, channel, opening)
  }

  async #engine(channel: Channel, opening: Opening, role: Role): Promise<ShakeHands | undefined> {
    const { flags, remoteEndpoint, serverId, handshakeTimeoutSeconds: timeoutSeconds } = opening
    switch (role) {
      case 'server': {
        if (this.#server === undefined) return undefined
        const { engine, settings } = this.#server
        const start = serverStart(settings, { peer: remoteEndpoint, timeoutSeconds, serverId })
        return async (secured) => engine.accept(secured, start)
      }
      case 'client': {
        const request = TlsproxyClientRequest.parse(await channel.receiveReply())
        const engine = await this.#engines.get(request.params, request.init)
        const start = { ...request.start, timeoutSeconds }
        const wantsFinding = (flags & TLSPROXY_FLAGS.sendFinding) !== 0
        return engine && (async (secured) => engine.start(secured, start, wantsFinding))
      }
      case 'bad':
        log.warning(`bad request flags: 0x${flags.toString(16)}`)
        return undefined
    }
  }
}

/** What main.cf says about TLS servers, and its engine. */
export interface ServerRole {
  readonly engine: ServerEngine
  readonly settings: TlsServerSettings
}

type ShakeHands = (secured: ByteStream) => Promise<TlsContext>

type Role = 'server' | 'client' | 'bad'

function roleOf({ flags }: Opening): Role {
  const isServer = (flags & TLSPROXY_FLAGS.server) !== 0
  const isClient = (flags & TLSPROXY_FLAGS.client) !== 0
  if (isServer === isClient) return 'bad'
  return isServer ? 'server' : 'client'
}

/** As Postfix's tlsproxy(8) says it, also of who wants both. */
function directionOf({ flags }: Opening): string {
  if ((flags & TLSPROXY_FLAGS.server) !== 0) return 'from'
  return (flags & TLSPROXY_FLAGS.client) !== 0 ? 'to' : '(bogus_direction)'
}

/** The client closes; a request that nobody reads would make that a reset. */
async function refuse(channel: Channel): Promise<undefined> {
  channel.send(TlsproxyStatus.encode({ status: 0 }))
  while (await channel.untilInput()) channel.stream.take(channel.stream.buffered.length)
}

async function handshake(
  shakeHands: ShakeHands,
  secured: ByteStream,
  channel: Channel,
  opening: Opening,
): Promise<ByteStream | undefined> {
  try {
    const context = await shakeHands(secured)
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
