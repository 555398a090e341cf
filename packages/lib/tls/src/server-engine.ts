/**
 * server-engine - TLS as a server, for tlsproxy(8) on postscreen(8)'s behalf, and for smtpd(8) in its own process
 *
 *     const settings = readServerSettings(config, 'smtpd')                // server-settings.ts; undefined: no TLS
 *     const engine = await openServerEngine(settings, { … })              // before privileges are dropped: keys are read here
 *     const context = await engine.accept(stream, serverStart(settings, { peer, timeoutSeconds }))
 *
 * The other side of client-engine.ts, with the same results. What node:tls cannot do is in docs/limits.md. node:tls, with what
 * hangs on it, is loaded by openServerEngine() and not before.
 * Source: Postfix 3.7 smtpd(8), tlsproxy(8), TLS_README.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import type { TlsClientInit, TlsClientParams, TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import type { SessionStore } from './session-store.ts'
import type { TicketKeySource } from './ticket-keys.ts'

export { HandshakeError } from './tls-error.ts'

/** For all connections of the program. Certificates and the like are named as a client's are. */
export interface TlsServerInit extends TlsClientInit {
  readonly protocols: string
  readonly asksForCertificate: boolean
  /** smtpd_tls_dh1024_param_file */
  readonly dhParameterFile: string
  /** tls_ffdhe_auto_groups */
  readonly ffdheGroups: string
  /** tls_server_sni_maps */
  readonly sniMaps: string
  /** tls_fast_shutdown_enable = no */
  readonly awaitsPeerClose: boolean
}

/** This connection. */
export interface TlsServerStart {
  /** `NAME[ADDRESS]`, as in log lines; whatever tlsproxy(8) was told. */
  readonly peer: string
  /** Seconds for the handshake; 0 = none. */
  readonly timeoutSeconds: number
  /** For session caching: the service that asks. */
  readonly serverId: string
  readonly cipherGrade: string
  /** Complete: where certificates are asked for, with aNULL. */
  readonly cipherExclusions: string
  /** The log says why a certificate is not trusted. The caller decides what becomes of who has none. */
  readonly requiresCertificate: boolean
}

/** What main.cf says. */
export interface TlsServerSettings extends Pick<
  TlsServerStart,
  'cipherGrade' | 'cipherExclusions' | 'requiresCertificate'
> {
  readonly params: TlsClientParams
  readonly init: TlsServerInit
  /** TLS_LEVELS: may or encrypt */
  readonly level: number
}

export interface ServerEngine {
  /**
   * Continues the conversation under TLS, as ClientEngine.start() does: what the stream gives and takes afterwards is the
   * plaintext, and what was received and not read before is forgotten. peerStatus tells about the client's certificate: PEER_STATUS
   * certificate, trusted. Logs what Postfix logs.
   *
   * @throws {HandshakeError} there is no TLS on this connection; it is closed, and nothing can be said on it any more
   */
  accept: (stream: ByteStream, start: TlsServerStart) => Promise<TlsContext>
}

export interface ServerEngineOptions {
  /** For the tables of tls_server_sni_maps. */
  readonly config: MainConfig
  /** tlsmgr(8) as a rule; without it no session is resumed. */
  readonly sessions?: SessionStore
  readonly ticketKeys?: TicketKeySource
  /** For tlsproxy(8), which logs in its own words that there was no handshake. */
  readonly isProxy?: boolean
}

/** @returns undefined: TLS support is disabled; why has been logged */
export async function openServerEngine(
  settings: Pick<TlsServerSettings, 'params' | 'init'>,
  options: ServerEngineOptions,
): Promise<ServerEngine | undefined> {
  const { openServer } = await import('./open-server.ts')
  return openServer(settings.params, settings.init, options)
}

export function serverStart(
  settings: TlsServerSettings,
  connection: Pick<TlsServerStart, 'peer' | 'timeoutSeconds' | 'serverId'>,
): TlsServerStart {
  const { cipherGrade, cipherExclusions, requiresCertificate } = settings
  return { ...connection, cipherGrade, cipherExclusions, requiresCertificate }
}
