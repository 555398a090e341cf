/**
 * tls-server - the engine behind server-engine.ts: everything that needs node:tls
 *
 * A connection's ClientHello is read, its name and its ticket find their context, OpenSSL shakes hands, and the client is judged.
 * Source: Postfix 3.7 smtpd(8), tlsproxy(8), as they log.
 */
import type { SecureContext, TLSSocket } from 'node:tls'
import { log } from '@posthorn/log/log'
import type { Descriptor } from '@posthorn/native/descriptor'
import { EndOfStreamError, StreamTimeoutError, type ByteStream } from '@posthorn/stream/byte-stream'
import type { TlsClientParams, TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import type { ClientHello } from './client-hello.ts'
import type { Identity } from './client-identity.ts'
import { peerChain } from './connection-details.ts'
import { HandshakeFault } from './handshake.ts'
import { ciphersFor, contextFor, logFailure } from './handshake-settings.ts'
import type { ServerContexts } from './server-contexts.ts'
import { serverDetails } from './server-details.ts'
import type { ServerEngine, TlsServerInit, TlsServerStart } from './server-engine.ts'
import { acceptHandshake, receiveHello, verifyError } from './server-handshake.ts'
import { judgeClient } from './server-judgement.ts'
import { ServerSessions } from './server-sessions.ts'
import type { SniMaps } from './server-sni.ts'
import type { SessionStore } from './session-store.ts'
import { serverSummaryLine } from './summary-line.ts'
import type { TicketKey, TicketKeys } from './ticket-keys.ts'
import type { TlsLogFeature, TlsLogFeatures } from './tls-log-level.ts'
import { TlsTransport } from './tls-transport.ts'

export interface ServerParts {
  readonly params: TlsClientParams
  readonly init: TlsServerInit
  readonly features: TlsLogFeatures
  readonly contexts: ServerContexts
  /** Without a name that decides otherwise. */
  readonly identities: readonly Identity[]
  readonly isProxy: boolean
  readonly sniMaps: SniMaps | undefined
  readonly tickets: TicketKeys | undefined
  readonly sessions: SessionStore | undefined
}

/** What the ClientHello led to. */
interface Plan {
  readonly hello: ClientHello
  readonly secureContext: SecureContext
  readonly ticketKey: TicketKey | undefined
  /** What the client asked for, where that is one of ours. */
  readonly serverName: string
}

export class TlsServer implements ServerEngine {
  readonly #parts: ServerParts

  constructor(parts: ServerParts) {
    this.#parts = parts
  }

  async accept(stream: ByteStream, start: TlsServerStart): Promise<TlsContext> {
    this.#tell('verbose', `setting up TLS connection from ${start.peer}`)
    try {
      return await this.#accept(stream, start)
    } catch (error) {
      stream.close()
      const told = `SSL_accept error from ${start.peer}`
      throw logFailure(error, this.#parts.isProxy ? undefined : told)
    }
  }

  async #accept(stream: ByteStream, start: TlsServerStart): Promise<TlsContext> {
    const { asksForCertificate, awaitsPeerClose } = this.#parts.init
    const { peer, timeoutSeconds } = start
    const deadlineMs = timeoutSeconds > 0 ? Date.now() + timeoutSeconds * 1000 : 0
    const { params, contexts, identities, tickets } = this.#parts
    const ciphers = ciphersFor(params, start)
    // settings of no use are found out before anything is read
    const ticketKey = await tickets?.find('')
    contextFor(start, () => contexts.find({ identities, ciphers, ticketKey }))
    this.#tell('verbose', `${peer}: TLS cipher list "${ciphers}"`)
    const { hello, octets } = await receiveHello(stream, deadlineMs)
    const plan = await this.#plan(stream, start, ciphers, hello)
    const sessions = this.#sessions(start, plan)
    const socket = await acceptHandshake(detached(stream), {
      secureContext: plan.secureContext,
      asksForCertificate,
      sessions,
      octets,
      deadlineMs,
    })
    try {
      this.#tellResumption(socket, peer, plan)
      const { context, isResumable } = this.#describe(socket, start)
      sessions?.judge(isResumable ? 'kept' : 'dropped')
      this.#tell('summary', serverSummaryLine(context, plan.serverName))
      stream.attach(new TlsTransport(socket, awaitsPeerClose))
      return context
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  /** @throws {HandshakeFault | HandshakeError} */
  async #plan(
    stream: ByteStream,
    start: TlsServerStart,
    ciphers: string,
    hello: ClientHello,
  ): Promise<Plan> {
    const { sniMaps, tickets, contexts } = this.#parts
    const asked = hello.serverName
    const named = asked === '' ? undefined : await sniMaps?.find(asked, start.peer)
    if (named?.kind === 'failed') {
      await sendAlert(stream)
      throw new HandshakeFault('-1', ['error:0A0000EA:SSL routines::callback failed:'])
    }
    const isOurs = named?.kind === 'found'
    const identities = isOurs ? named.identities : this.#parts.identities
    const ticketKey = await tickets?.find(hello.identity === '' ? hello.ticket : hello.identity)
    const secureContext = contextFor(start, () => contexts.find({ identities, ciphers, ticketKey }))
    return { hello, secureContext, ticketKey, serverName: isOurs ? asked : '' }
  }

  #sessions(
    { peer, serverId }: TlsServerStart,
    { hello, ticketKey }: Plan,
  ): ServerSessions | undefined {
    const { sessions, features, init, contexts } = this.#parts
    if (sessions === undefined) return undefined
    const isModern = hello.isModern && contexts.speaksTls13
    return new ServerSessions({
      store: sessions,
      serverId,
      peer,
      cacheType: init.cacheType,
      isLogged: features.has('cache'),
      identity: isModern ? hello.identity : undefined,
      hasTickets: ticketKey !== undefined && (isModern || hello.takesTickets),
    })
  }

  /** node:tls does not tell of tickets: these lines say what OpenSSL does with this client. */
  #tellResumption(socket: TLSSocket, peer: string, { ticketKey, hello }: Plan): void {
    const isModern = socket.getProtocol() === 'TLSv1.3'
    const usesTicket = ticketKey !== undefined && (isModern || hello.takesTickets)
    const until = usesTicket ? `key expiration: ${ticketKey.expiresAtSeconds}` : ''
    if (socket.isSessionReused()) {
      if (usesTicket) this.#tell('cache', `${peer}: Decrypting session ticket, ${until}`)
      const how = usesTicket ? ' (RFC 5077 session ticket)' : ''
      this.#tell('cache', `${peer}: Reusing old session${how}`)
    } else if (usesTicket) this.#tell('cache', `${peer}: Issuing session ticket, ${until}`)
  }

  #describe(
    socket: TLSSocket,
    start: TlsServerStart,
  ): { readonly context: TlsContext; readonly isResumable: boolean } {
    const { init, features } = this.#parts
    const { peer, requiresCertificate } = start
    const chain = init.asksForCertificate ? peerChain(socket) : []
    const { isResumable, ...judgement } = judgeClient({
      peer,
      chain,
      error: verifyError(socket),
      isReused: socket.isSessionReused(),
      verifyDepth: init.verifyDepth,
      features,
      digest: init.digest,
      requiresCertificate,
    })
    const context = { ...judgement, level: 0, ...serverDetails(socket, chain[0]), peer }
    return { context, isResumable }
  }

  #tell(feature: TlsLogFeature, text: string): void {
    if (this.#parts.features.has(feature)) log.info(text)
  }
}

/** @throws {HandshakeFault} it was closed meanwhile, by whoever owns it */
function detached(stream: ByteStream): Descriptor {
  try {
    return stream.detach()
  } catch {
    throw new HandshakeFault('lost connection')
  }
}

/** RFC 8446 6: a fatal alert, internal_error, before there is any encryption. */
const INTERNAL_ERROR = '\x15\x03\x01\x00\x02\x02\x50'

const ALERT_TIMEOUT_MS = 1_000

/** The client has gone, or reads nothing: then it is not told. */
async function sendAlert(stream: ByteStream): Promise<void> {
  stream.timeoutMs = ALERT_TIMEOUT_MS
  stream.write(INTERNAL_ERROR)
  try {
    await stream.end()
  } catch (error) {
    if (!(error instanceof EndOfStreamError || error instanceof StreamTimeoutError)) throw error
  }
}
