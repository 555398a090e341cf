/**
 * tlsmgr - tlsmgr(8) as the skeleton sees it
 *
 * A cache database in main.cf says that there is a cache; as Postfix makes that file anew whenever tlsmgr(8) starts, ours
 * needs none. Random numbers come from the kernel's generator, which needs no file and no help.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { Service, ServiceContext, ServiceDefinition } from '@posthorn/daemon/service'
import { fatal } from '@posthorn/log/log'
import { parseTlsLogLevel } from '@posthorn/tls/tls-log-level'
import { SessionCache } from './session-cache.ts'
import { TicketKeys } from './ticket-keys.ts'
import { TlsmgrService, type CacheType } from './tlsmgr-service.ts'

const types = ['smtpd', 'smtp', 'lmtp'] as const
/** A session that lives shorter is hardly worth storing. */
const leastLifeSeconds = 120

export const tlsmgr: ServiceDefinition = {
  program: 'tlsmgr',
  kind: 'multi',
  requires: ['alone'],
  usesLimit: 'off',
  idleLimit: 'off',
  start,
}

function start({ args, config }: ServiceContext): Service {
  if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
  const life = lifeSeconds(config, 'smtpd')
  return new TlsmgrService(
    new Map(types.map((type) => [type, cacheType(config, type)])),
    life === 0 ? undefined : new TicketKeys(life),
  )
}

function lifeSeconds(config: MainConfig, type: (typeof types)[number]): number {
  const configured = config.seconds(`${type}_tls_session_cache_timeout`)
  return configured === 0 ? 0 : Math.max(configured, leastLifeSeconds)
}

function cacheType(config: MainConfig, type: (typeof types)[number]): CacheType {
  const level = `${type}_tls_loglevel` as const
  const database = config.text(`${type}_tls_session_cache_database`)
  const seconds = lifeSeconds(config, type)
  const isCached = database !== '' && seconds > 0
  return {
    lifeSeconds: seconds,
    cache: isCached ? new SessionCache({ lifeSeconds: seconds }) : undefined,
    isLogged: parseTlsLogLevel(config.text(level), level).has('cache'),
  }
}
