/**
 * open-service - what tlsproxy(8) opens as root: the engine for its own settings, whose keys may be readable for root only
 *
 * Those are the tlsproxy_client_... parameters, which are those of smtp(8) unless main.cf says otherwise.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { openClientEngine } from '@posthorn/tls/client-engine'
import { TlsmgrClient } from '@posthorn/wire/tlsmgr-protocol'
import { EngineCache, type OpenEngine } from './engine-cache.ts'
import { readOwnSettings } from './own-settings.ts'
import { TlsproxyService } from './tlsproxy-service.ts'
import { warnAboutUnexpected, type ClientSettings } from './unexpected-settings.ts'

export async function openService(config: MainConfig): Promise<TlsproxyService> {
  warnAboutServerRole(config)
  const own = readOwnSettings(config)
  const engines = new EngineCache(engineOpener(config, own))
  if (own !== undefined) await engines.get(own.params, own.init)
  return new TlsproxyService(engines)
}

/** Sessions are kept where the client keeps its own: it may have another tlsmgr_service_name than we have. */
function engineOpener(config: MainConfig, own: ClientSettings | undefined): OpenEngine {
  const options = {
    timeoutMs: config.seconds('ipc_timeout') * 1000,
    idleMs: config.seconds('ipc_idle') * 1000,
    ttlMs: config.seconds('ipc_ttl') * 1000,
  }
  return async (params, init) => {
    if (own !== undefined) warnAboutUnexpected(own, { params, init })
    const client = new TlsmgrClient({ ...options, path: `private/${params.tlsmgrService}` })
    const sessions = client.sessions(init.cacheType)
    return openClientEngine(params, init, { sessions, isProxy: true })
  }
}

/** postscreen(8) would ask for it. */
function warnAboutServerRole(config: MainConfig): void {
  const isWanted =
    config.keyword('tlsproxy_tls_security_level') !== '' ||
    config.boolean('tlsproxy_use_tls') ||
    config.boolean('tlsproxy_enforce_tls')
  log.warning(
    isWanted
      ? 'TLS server role is not supported by this version'
      : 'TLS server role is disabled with tlsproxy_tls_security_level or tlsproxy_use_tls',
  )
}
