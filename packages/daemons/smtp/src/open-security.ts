/**
 * open-security - TLS and SASL of the SMTP client, opened while keys and tables can still be read
 *
 * Without a level that may use TLS there is no engine, and node:tls is never loaded; nor are the mechanisms of SASL, where
 * smtp_sasl_auth_enable says no. An engine that cannot be opened is no
 * reason to stop: where TLS is optional mail goes in plaintext, elsewhere it waits. Source: Postfix 3.7 smtp(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { openClientEngine } from '@posthorn/tls/client-engine'
import { readEngineOptions } from '@posthorn/tls/client-params'
import type { SessionStore } from '@posthorn/tls/session-store'
import { TlsmgrClient } from '@posthorn/wire/tlsmgr-protocol'
import type { Authenticator } from './authenticate.ts'
import type { Protocol } from './client-options.ts'
import type { TlsClient } from './start-tls.ts'
import { readTlsOptions } from './tls-options.ts'
import type { TlsTables } from './tls-policies.ts'
import { warnOfUnavailable } from './unavailable-tls.ts'

export type OpenedTls = Pick<TlsClient, 'options' | 'tables' | 'engine'>

/** Undefined: there is none. @throws {ConfigError} parameters make no sense */
export async function openSasl(
  config: MainConfig,
  protocol: Protocol,
): Promise<Authenticator | undefined> {
  if (!config.boolean(`${protocol}_sasl_auth_enable`)) return undefined
  const { Authenticator } = await import('./authenticate.ts')
  return Authenticator.open(config, protocol)
}

/** Sessions that other processes have made are found in tlsmgr(8). */
export function tlsmgrSessions(config: MainConfig, protocol: Protocol): SessionStore {
  return new TlsmgrClient({
    path: `private/${config.text('tlsmgr_service_name')}`,
    timeoutMs: config.seconds('ipc_timeout') * 1000,
    idleMs: config.seconds('ipc_idle') * 1000,
    ttlMs: config.seconds('ipc_ttl') * 1000,
  }).sessions(protocol)
}

/** `sessions`: asked for only where there is TLS. @throws {ConfigError} a parameter makes no sense */
export async function openTls(
  config: MainConfig,
  protocol: Protocol,
  tables: TlsTables,
  sessions?: typeof tlsmgrSessions,
): Promise<OpenedTls | undefined> {
  const options = readTlsOptions(config, protocol)
  if (options === undefined) return undefined
  warnOfUnavailable(config, protocol)
  const { params, init } = options
  const store = sessions && { sessions: sessions(config, protocol) }
  const engineOptions = { ...readEngineOptions(config), ...store }
  return { options, tables, engine: await openClientEngine(params, init, engineOptions) }
}
