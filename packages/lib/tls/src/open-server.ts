/**
 * open-server - reads the files of a TLS server and judges its settings
 *
 * What cannot be used disables TLS support, as in Postfix, and is in the log.
 * Source: Postfix 3.7 smtpd(8), tlsproxy(8), as they log.
 */
import { createHash, getCipherInfo } from 'node:crypto'
import { log } from '@posthorn/log/log'
import type { TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'
import { beginSetup, readEngineFiles } from './engine-setup.ts'
import { parseProtocols } from './protocol-list.ts'
import { keyExchangeGroups } from './secure-contexts.ts'
import { ServerContexts } from './server-contexts.ts'
import { openDhParameters } from './server-dh.ts'
import type { ServerEngine, ServerEngineOptions, TlsServerInit } from './server-engine.ts'
import { SniMaps } from './server-sni.ts'
import type { SessionPolicy } from './session-store.ts'
import { CIPHER_SERVER_PREFERENCE, NO_TICKET, secureOptions } from './ssl-options.ts'
import { TicketKeys } from './ticket-keys.ts'
import { TlsServer } from './tls-server.ts'

/** @returns undefined: TLS support is disabled, which has been logged. @throws {ConfigError} an SNI table makes no sense */
export async function openServer(
  params: TlsClientParams,
  init: TlsServerInit,
  options: ServerEngineOptions,
): Promise<ServerEngine | undefined> {
  const features = await beginSetup(params, init, 'server')
  if (features === undefined) return undefined
  const protocols = parseProtocols(init.protocols)
  if (protocols === undefined) {
    log.warning(`Invalid TLS protocol list "${init.protocols}": disabling TLS support`)
    return undefined
  }
  const files = await readEngineFiles(params, withoutNone(init), 'server')
  if (files === undefined) return undefined
  const sslOptions = secureOptions(params.sslOptions, params.disabledWorkarounds)
  const own = params.preemptsCipherList === 0 ? 0 : CIPHER_SERVER_PREFERENCE
  const policy = await options.sessions?.policy()
  const contexts = new ServerContexts({
    authorities: files.authorities,
    protocols,
    groups: keyExchangeGroups(params.autoCurves, init.ffdheGroups),
    dhParameters: await openDhParameters(init.dhParameterFile),
    options: Number(BigInt(sslOptions) | BigInt(own)),
    timeoutSeconds: policy?.timeoutSeconds ?? 0,
    sessionContext: sessionContext(init, files.authorities),
  })
  return new TlsServer({
    params,
    init,
    features,
    contexts,
    identities: files.identities,
    isProxy: options.isProxy === true,
    sniMaps: SniMaps.open(init.sniMaps, options.config),
    ...resumption(params, init, options, policy, sslOptions),
  })
}

/** A session goes on where the client would be judged in the same way. At most 32 octets. */
function sessionContext(init: TlsServerInit, authorities: readonly string[]): string {
  if (!init.asksForCertificate) return init.cacheType
  const hash = createHash('sha256').update(JSON.stringify([init.verifyDepth, authorities]))
  return hash.digest('hex').slice(0, 32)
}

/** What sessions go on with: tickets, and a store for clients that take none. */
function resumption(
  params: TlsClientParams,
  init: TlsServerInit,
  { sessions, ticketKeys }: ServerEngineOptions,
  policy: SessionPolicy | undefined,
  sslOptions: number,
): Pick<ConstructorParameters<typeof TlsServer>[0], 'tickets' | 'sessions'> {
  const hasTickets = isTicketCipher(params.ticketCipher)
  const lifeSeconds = policy?.timeoutSeconds ?? 0
  if (lifeSeconds === 0) return { tickets: undefined, sessions: undefined }
  // a ticket is made before the client is judged, and has no more of its chain than the first certificate
  const isOn =
    hasTickets && !init.asksForCertificate && (BigInt(sslOptions) & BigInt(NO_TICKET)) === 0n
  return {
    tickets: isOn && ticketKeys !== undefined ? new TicketKeys(ticketKeys, lifeSeconds) : undefined,
    sessions: policy?.isCachable === true ? sessions : undefined,
  }
}

/** Postfix 3.7 postconf(5) smtpd_tls_cert_file: `none` is a server without certificates, on purpose. */
function withoutNone(init: TlsServerInit): TlsServerInit {
  return init.certFile === 'none' ? { ...init, certFile: '' } : init
}

/** Postfix takes those in CBC mode. Which one it is has no effect beyond that: see ticket-keys.ts. */
function isTicketCipher(name: string): boolean {
  if (name === '') return false
  if (getCipherInfo(name)?.mode === 'cbc') return true
  log.warning(`tls_session_ticket_cipher: invalid value: ${name}; session tickets disabled`)
  return false
}
