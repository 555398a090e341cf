/**
 * tls-client - the engine behind client-engine.ts: everything that needs node:tls
 *
 * Files are read and settings judged when it opens; a connection finds its context, asks for a session, shakes hands, and is
 * judged. Sessions come and go without a wait of the conversation, but for the lookup.
 */
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { log } from '@posthorn/log/log'
import type { Descriptor } from '@posthorn/native/descriptor'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { encodeTlsFinding } from '@posthorn/wire/tls-finding'
import type {
  TlsClientInit,
  TlsClientParams,
  TlsClientStart,
  TlsContext,
} from '@posthorn/wire/tlsproxy-protocol'
import { isMatched, type ClientEngine, type ClientEngineOptions } from './client-engine.ts'
import { connectionDetails, NO_SIGNATURE, peerChain } from './connection-details.ts'
import { parseDaneDigests, type DigestTable } from './dane-digests.ts'
import { beginSetup, readEngineFiles } from './engine-setup.ts'
import { HandshakeFault, shakeHands } from './handshake.ts'
import { ciphersFor, contextFor, logFailure, refuse } from './handshake-settings.ts'
import { judge, type JudgeSettings, type Judgement } from './judgement.ts'
import { planPinning, type Pinning } from './pinning.ts'
import { parseProtocols } from './protocol-list.ts'
import { keyExchangeGroups, SecureContexts } from './secure-contexts.ts'
import { sessionId } from './session-cache.ts'
import { SessionKeeper } from './session-keeper.ts'
import type { SessionStore } from './session-store.ts'
import { NO_TICKET, secureOptions } from './ssl-options.ts'
import { summaryLine } from './summary-line.ts'
import { parseTlsLogLevel, type TlsLogFeature, type TlsLogFeatures } from './tls-log-level.ts'
import { TlsTransport } from './tls-transport.ts'

/** @returns undefined: TLS support is disabled, which has been logged */
export async function openEngine(
  params: TlsClientParams,
  init: TlsClientInit,
  engineOptions: ClientEngineOptions,
): Promise<ClientEngine | undefined> {
  const { sessions: store, isProxy = false, ffdheGroups, awaitsPeerClose } = engineOptions
  const features = await beginSetup(params, init, 'client')
  if (features === undefined) return undefined
  const files = await readEngineFiles(params, init, 'client')
  if (files === undefined) return undefined
  const policy = await store?.policy()
  const options = secureOptions(params.sslOptions, params.disabledWorkarounds)
  const parts = {
    ...files,
    groups: keyExchangeGroups(params.autoCurves, ffdheGroups),
    options: policy?.timeoutSeconds === 0 ? Number(BigInt(options) | BigInt(NO_TICKET)) : options,
  }
  const digests = parseDaneDigests(params.daneDigests)
  return new TlsClient({
    params,
    init,
    features,
    digests: digests ?? new Map(),
    contexts: new SecureContexts(parts),
    hasIdentity: files.identities.length > 0,
    isProxy,
    awaitsPeerClose,
    // main.cf, who is trusted, and who we are: for the ids of sessions
    settingsHash: createHash('sha256')
      .update(JSON.stringify([params, init, parts, isProxy]))
      .digest('hex'),
    sessions: policy?.isCachable === true && policy.timeoutSeconds > 0 ? store : undefined,
  })
}

interface ClientParts {
  readonly params: TlsClientParams
  readonly init: TlsClientInit
  readonly features: TlsLogFeatures
  readonly digests: DigestTable
  readonly contexts: SecureContexts
  readonly hasIdentity: boolean
  readonly isProxy: boolean
  readonly awaitsPeerClose: boolean | undefined
  readonly settingsHash: string
  readonly sessions: SessionStore | undefined
}

class TlsClient implements ClientEngine {
  readonly #parts: ClientParts

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  withLogLevel(logLevel: string): ClientEngine {
    const { init } = this.#parts
    if (logLevel === init.logLevel) return this
    const features = parseTlsLogLevel(logLevel, init.logParameter)
    return new TlsClient({ ...this.#parts, features, init: { ...init, logLevel } })
  }

  async start(
    stream: ByteStream,
    start: TlsClientStart,
    wantsFinding = false,
  ): Promise<TlsContext> {
    const { features } = this.#parts
    if (features.has('verbose')) log.info(`setting up TLS connection to ${start.peer}`)
    try {
      return await this.#start(stream, start, wantsFinding)
    } catch (error) {
      stream.close()
      const told = `SSL_connect error to ${start.peer}`
      throw logFailure(error, this.#parts.isProxy ? undefined : told)
    }
  }

  async #start(
    stream: ByteStream,
    start: TlsClientStart,
    wantsFinding: boolean,
  ): Promise<TlsContext> {
    const { init, digests, sessions, features, settingsHash } = this.#parts
    const pinning = planPinning(start, digests, start.digest === '' ? init.digest : start.digest)
    const secureContext = this.#context(start, pinning.usesTrustStore)
    const serverName = isIP(start.sni) === 0 ? start.sni : ''
    if (serverName !== '') this.#tell('ssl-debug', `${start.peer}: SNI hostname: ${serverName}`)
    const keeper =
      sessions === undefined
        ? undefined
        : new SessionKeeper({
            store: sessions,
            id: sessionId(start, settingsHash),
            cacheType: init.cacheType,
            isLogged: features.has('cache'),
          })
    const cached = await keeper?.lookup()
    const options = {
      secureContext,
      serverName,
      session: cached?.session,
      onSession: keeper?.offer,
    }
    const socket = await this.#handshake(stream, start, options).catch((error: unknown) => {
      if (cached !== undefined) keeper?.forget()
      throw error
    })
    try {
      const isReused = cached !== undefined && socket.isSessionReused()
      if (isReused) this.#tell('cache', `${start.peer}: Reusing old session`)
      const evidence = isReused
        ? { facts: cached.facts }
        : { chain: peerChain(socket), error: authorizationError(socket) }
      const judgement = judge(this.#judgeSettings(start, pinning), evidence)
      const context = this.#describe(start, socket, judgement, isReused)
      this.#tell('summary', summaryLine(context, 'established'))
      // a session of somebody who is not whom we want is of no use
      if (isMatched(context)) keeper?.keep(judgement.facts)
      else keeper?.drop()
      stream.attach(new TlsTransport(socket, this.#parts.awaitsPeerClose))
      if (!wantsFinding) return context
      const finding = encodeTlsFinding(judgement.facts.finding, isReused)
      return { ...context, peerStatus: context.peerStatus | finding }
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  #judgeSettings(start: TlsClientStart, pinning: Pinning): JudgeSettings {
    const { init, digests, features, isProxy } = this.#parts
    const { verifyDepth } = init
    const digest = isProxy || features.has('certmatch') ? init.digest : undefined
    return { start, pinning, digests, verifyDepth, features, digest }
  }

  #tell(feature: TlsLogFeature, text: string): void {
    if (this.#parts.features.has(feature)) log.info(text)
  }

  /** @throws {HandshakeError} settings of no use, which has been logged */
  #context(start: TlsClientStart, usesTrustStore: boolean): SecureContext {
    const { params, contexts } = this.#parts
    const { peer } = start
    const protocols = parseProtocols(start.protocols)
    if (protocols === undefined) {
      return refuse(`${peer}: Invalid TLS protocol list "${start.protocols}": aborting TLS session`)
    }
    for (const bound of protocols.unknown) log.warning(`${peer}: error setting ${bound}`)
    const ciphers = ciphersFor(params, start)
    const context = contextFor(start, () => contexts.find({ ciphers, protocols, usesTrustStore }))
    this.#tell('verbose', `${peer}: TLS cipher list "${ciphers}"`)
    return context
  }

  async #handshake(
    stream: ByteStream,
    start: TlsClientStart,
    options: {
      secureContext: SecureContext
      serverName: string
      session: Buffer | undefined
      onSession: ((session: Buffer) => void) | undefined
    },
  ): Promise<TLSSocket> {
    let descriptor: Descriptor
    try {
      await stream.flush()
      // what came in plaintext is forgotten: RFC 3207 4.2
      stream.take(stream.buffered.length)
      descriptor = stream.detach()
    } catch {
      throw new HandshakeFault('lost connection')
    }
    return shakeHands(descriptor, { ...options, timeoutMs: start.timeoutSeconds * 1000 })
  }

  #describe(
    start: TlsClientStart,
    socket: TLSSocket,
    judgement: Judgement,
    isReused: boolean,
  ): TlsContext {
    const { facts } = judgement
    const server = { ...NO_SIGNATURE, ...facts.signature, ...(isReused ? { digest: '' } : {}) }
    return {
      peerName: facts.peerName,
      issuerName: facts.issuerName,
      fingerprint: facts.fingerprint,
      keyFingerprint: facts.keyFingerprint,
      level: judgement.level,
      peerStatus: judgement.peerStatus,
      ...connectionDetails(socket, server, this.#parts.hasIdentity),
      peer: start.peer,
    }
  }
}

/** The code of OpenSSL; node:tls declares an Error, and gives a string. */
function authorizationError(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined
  const error: unknown = socket.authorizationError
  return error instanceof Error ? error.message : String(error)
}
