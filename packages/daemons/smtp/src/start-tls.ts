/**
 * start-tls - puts a session under TLS: here, or by way of tlsproxy(8)
 *
 *     smtp_tls_connection_reuse   TLS runs in     the connection may serve another delivery
 *     yes, or by policy           tlsproxy(8)     of any process, through scache(8)
 *     auto                        this process    of this process
 *     no                          this process    no
 *
 * Without tlsproxy(8) there is no falling back on TLS of our own: the handshake has failed.
 * Sources: RFC 3207; Postfix 3.7 smtp(8), tlsproxy(8).
 */
import { log } from '@posthorn/log/log'
import type { ClientEngine } from '@posthorn/tls/client-engine'
import { HandshakeError, isMatched, summaryLine } from '@posthorn/tls/client-engine'
import { openTlsproxy } from '@posthorn/wire/tlsproxy-client'
import type { TlsClientStart, TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import { ProxiedHandshakeError, ServiceError } from '@posthorn/wire/wire-error'
import type { ClientOptions } from './client-options.ts'
import type { DnssecProbe } from './dnssec-probe.ts'
import { FEATURES } from './features.ts'
import type { Session } from './session.ts'
import type { TlsOptions } from './tls-options.ts'
import type { TlsTables } from './tls-policies.ts'
import { tlsStart, type TlsPolicy, type TlsTarget } from './tls-policy.ts'
import type { TlsReports } from './tls-reports.ts'
import { judgesName } from './tls-verdict.ts'

/** What the client needs for TLS; there is none where no destination can have TLS. */
export interface TlsClient {
  readonly options: TlsOptions
  readonly tables: TlsTables
  /** Absent: it could not be opened, and that was logged. */
  readonly engine: ClientEngine | undefined
  readonly proxyPath: string
  /** For a session that no proxy keeps: another delivery of this process may have it. */
  readonly keepsOwn: boolean
  readonly probe: DnssecProbe | undefined
  /** Absent: smtp_tlsrpt_enable = no. */
  readonly reports?: TlsReports | undefined
}

/** How a session is to be secured. */
export interface SessionTls {
  readonly client: TlsClient
  readonly policy: TlsPolicy
  readonly target: TlsTarget
  readonly options: Pick<ClientOptions, 'labels' | 'heloName' | 'timeouts'>
  /** Of smtp_tls_loglevel_maps; undefined: that of all. */
  readonly logLevel?: string | undefined
}

/** tlsproxy(8) has an engine of its own; whether it works is seen then. */
export function hasEngine({ client, policy }: SessionTls): boolean {
  return policy.reuse === 'yes' || client.engine !== undefined
}

/** TLS will be tried: what becomes of the connection afterwards. */
export function limitReuse(session: Session, { client, policy }: SessionTls): void {
  const canKeep = policy.reuse === 'yes' || (policy.reuse === 'auto' && client.keepsOwn)
  if (!canKeep) session.spend()
}

/**
 * 'secured': the stream of the session is under TLS, and `tlsContext` says how good it is. Else the handshake failed, which
 * was logged, and nothing can be said on the connection any more; 'unable': it is we who have failed.
 */
export async function startTls(
  session: Session,
  tls: SessionTls,
): Promise<'secured' | 'failed' | 'unable'> {
  try {
    session.tlsContext = await handshake(session, tls)
    return 'secured'
  } catch (error) {
    if (!(error instanceof HandshakeError || error instanceof ServiceError)) throw error
    session.isBroken = true
    session.spend()
    const isPeers =
      error instanceof HandshakeError ? !error.isLocal : error instanceof ProxiedHandshakeError
    return isPeers ? 'failed' : 'unable'
  }
}

async function handshake(session: Session, tls: SessionTls): Promise<TlsContext> {
  const { client, policy, target, options, logLevel = client.options.init.logLevel } = tls
  const { stream } = session
  const { heloName, labels } = options
  const plain = tlsStart(policy, target, client.options, { heloName, service: labels.service })
  const wantsFinding = client.reports !== undefined
  const isTested = wantsFinding && judgesName(policy)
  const start = isTested ? { ...plain, matches: [target.host.name] } : plain
  stream.deadlineMs = 0
  if (policy.reuse === 'yes') return throughProxy(session, tls, start)
  if (client.engine === undefined) throw new HandshakeError('Cannot start TLS: no engine')
  return client.engine.withLogLevel(logLevel).start(stream, start, wantsFinding)
}

async function throughProxy(
  session: Session,
  { client, target, options, logLevel = client.options.init.logLevel }: SessionTls,
  start: TlsClientStart,
): Promise<TlsContext> {
  const { stream } = session
  const { host } = target
  // RFC 3207 4.2: what came in plaintext behind the reply is nobody's word
  stream.take(stream.buffered.length)
  const { timeoutSeconds } = start
  const proxied = await openTlsproxy(
    {
      path: client.proxyPath,
      opening: {
        remoteEndpoint: host.port === 0 ? host.address : `[${host.address}]:${host.port}`,
        handshakeTimeoutSeconds: timeoutSeconds,
        sessionTimeoutSeconds: options.timeouts.dataDoneMs / 1000,
        serverId: options.labels.service,
      },
      request: { params: client.options.params, init: { ...client.options.init, logLevel }, start },
      wantsFinding: client.reports !== undefined,
    },
    stream.detach(),
  )
  // a server that speaks first (smtp_tls_wrappermode) may have done so
  const received = proxied.stream.take(proxied.stream.buffered.length)
  stream.attach(proxied.stream.detach(), received)
  session.features |= FEATURES.tlsproxy
  log.info(summaryLine(proxied.context, 'established'))
  return proxied.context
}

/** The certificate is the one that policy wants. */
export function isCertified(session: Session): boolean {
  return session.tlsContext === undefined || isMatched(session.tlsContext)
}
