/**
 * open-service - what tlsproxy(8) opens as root: engines for its own settings, whose keys may be readable for root only
 *
 * Those are the tlsproxy_tls_... parameters for the server role, and tlsproxy_client_... for the client role. They are those of
 * smtpd(8) and smtp(8) unless main.cf says otherwise.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { openClientEngine } from '@posthorn/tls/client-engine'
import { readEngineOptions } from '@posthorn/tls/client-params'
import { openServerEngine } from '@posthorn/tls/server-engine'
import { hasCertificates, readServerSettings } from '@posthorn/tls/server-settings'
import { TlsmgrClient } from '@posthorn/wire/tlsmgr-protocol'
import { EngineCache, type OpenEngine } from './engine-cache.ts'
import { readOwnSettings } from './own-settings.ts'
import { TlsproxyService, type ServerRole } from './tlsproxy-service.ts'
import { warnAboutUnexpected, type ClientSettings } from './unexpected-settings.ts'

export async function openService(config: MainConfig): Promise<TlsproxyService> {
  const server = await openServerRole(config)
  const own = readOwnSettings(config)
  const engines = new EngineCache(engineOpener(config, own))
  if (own !== undefined && (await engines.get(own.params, own.init)) === undefined) {
    log.warning('TLS client initialization failed')
  }
  return new TlsproxyService(engines, server)
}

/** Sessions are kept where the client keeps its own: it may have another tlsmgr_service_name than we have. */
function engineOpener(config: MainConfig, own: ClientSettings | undefined): OpenEngine {
  return async (params, init) => {
    if (own !== undefined) warnAboutUnexpected(own, { params, init })
    const sessions = tlsmgrOf(config, params.tlsmgrService).sessions(init.cacheType)
    return openClientEngine(params, init, { ...readEngineOptions(config), sessions, isProxy: true })
  }
}

/** For postscreen(8). Undefined: there is no server role, and why has been logged. */
async function openServerRole(config: MainConfig): Promise<ServerRole | undefined> {
  const settings = readServerSettings(config, 'tlsproxy')
  if (settings === undefined) {
    log.warning('TLS server role is disabled with tlsproxy_tls_security_level or tlsproxy_use_tls')
    return undefined
  }
  if (!hasCertificates(settings.init)) {
    log.warning("No server certs available. TLS can't be enabled")
    return undefined
  }
  const tlsmgr = tlsmgrOf(config, settings.params.tlsmgrService)
  const sessions = tlsmgr.sessions(settings.init.cacheType)
  const options = { config, sessions, ticketKeys: tlsmgr, isProxy: true }
  const engine = await openServerEngine(settings, options)
  return engine && { engine, settings }
}

function tlsmgrOf(config: MainConfig, service: string): TlsmgrClient {
  return new TlsmgrClient({
    path: `private/${service}`,
    timeoutMs: config.seconds('ipc_timeout') * 1000,
    idleMs: config.seconds('ipc_idle') * 1000,
    ttlMs: config.seconds('ipc_ttl') * 1000,
  })
}
