/**
 * client-engine - TLS as a client, for smtp(8) in its own process and for tlsproxy(8) on others' behalf
 *
 *     const engine = await openClientEngine(params, init)       // before privileges are dropped: keys are read here
 *     const context = await engine.start(stream, start)         // handshake, verification, log lines
 *
 * What main.cf says about TLS clients travels as the groups of the tlsproxy protocol (@posthorn/wire/tlsproxy-protocol),
 * because that is what tlsproxy(8) gets; smtp(8) makes the same groups from its own parameters. node:tls, with what hangs on
 * it, is loaded by openClientEngine() and not before.
 * Source: Postfix 3.7 smtp(8), tlsproxy(8), TLS_README.
 */
import type { ByteStream } from '@posthorn/stream/byte-stream'
import {
  PEER_STATUS,
  TLS_LEVELS,
  type TlsClientInit,
  type TlsClientParams,
  type TlsClientStart,
  type TlsContext,
} from '@posthorn/wire/tlsproxy-protocol'
import type { SessionStore } from './session-store.ts'

export { summaryLine } from './summary-line.ts'
export { HandshakeError } from './tls-error.ts'

export interface ClientEngine {
  /**
   * Continues the conversation under TLS: what the stream gives and takes afterwards is the plaintext. What was received
   * and not read before is forgotten (RFC 3207 4.2). The result says whether the certificate is what was asked for; a
   * mismatch is no error here, the caller decides. Logs what Postfix logs: summary, verification failures, handshake errors.
   *
   * `start.cipherExclusions` is complete: the caller adds what the level forbids (eNULL at encrypt, aNULL above).
   * At level fingerprint and with trust anchors, `start.anchors` holds them: see fingerprint.ts, trust-anchor-file.ts.
   *
   * `wantsFinding`: peerStatus says what was wrong with the certificate (@posthorn/wire/tls-finding); names are judged at
   * every level then, which changes nothing else.
   *
   * @throws {HandshakeError} there is no TLS on this connection; it is closed, and nothing can be said on it any more
   */
  start: (stream: ByteStream, start: TlsClientStart, wantsFinding?: boolean) => Promise<TlsContext>
  /** The same, which logs at this level of smtp_tls_loglevel, not at that of `init`. Costs nothing. */
  withLogLevel: (logLevel: string) => ClientEngine
}

export interface ClientEngineOptions {
  /** Where sessions are kept, tlsmgr(8) as a rule; without it every handshake is a full one. */
  readonly sessions?: SessionStore
  /** For tlsproxy(8), which logs in its own words that there was no handshake. */
  readonly isProxy?: boolean
  /** tls_fast_shutdown_enable = no */
  readonly awaitsPeerClose?: boolean
  /** tls_ffdhe_auto_groups */
  readonly ffdheGroups?: string
}

/** @returns undefined: TLS support is disabled; why has been logged */
export async function openClientEngine(
  params: TlsClientParams,
  init: TlsClientInit,
  options: ClientEngineOptions = {},
): Promise<ClientEngine | undefined> {
  const { openEngine } = await import('./tls-client.ts')
  return openEngine(params, init, options)
}

/**
 * The certificate is what the level asks for; may and encrypt ask for nothing. The level is that of the context: dane became
 * encrypt there when the records were of no use.
 */
export function isMatched(context: Pick<TlsContext, 'level' | 'peerStatus'>): boolean {
  return context.level <= TLS_LEVELS.encrypt || (context.peerStatus & PEER_STATUS.matched) !== 0
}
