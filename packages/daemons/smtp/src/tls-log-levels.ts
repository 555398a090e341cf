/**
 * tls-log-levels - smtp_tls_loglevel_maps: how much is logged of TLS with one server
 *
 * Looked up as they stand, and the first that is found counts: next-hop as written, its domain, host name, address. The value
 * is one of smtp_tls_loglevel, which holds for servers that the tables do not know. A table that cannot be asked changes nothing
 * but the log, so that the mail goes on.
 * Postfix 3.12 has the parameter; the order of the keys is ours. Pinned by tls-log-levels.test.ts.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { MapList } from '@posthorn/tables/map-list'
import type { Protocol } from './client-options.ts'
import type { TlsTarget } from './tls-policy.ts'

/** Undefined: what main.cf says for all. */
export type FindTlsLogLevel = (target: TlsTarget) => Promise<string | undefined>

/** Undefined: the parameter is empty. @throws {ConfigError} it names no table */
export function openTlsLogLevels(
  config: MainConfig,
  protocol: Protocol,
): FindTlsLogLevel | undefined {
  const parameter = `${protocol}_tls_loglevel_maps` as const
  const maps = MapList.open(parameter, config.text(parameter), { config })
  if (maps.isEmpty) return undefined
  return async ({ element, domain, host }) => {
    for (const key of new Set([element, domain, host.name, host.address])) {
      const answer = await maps.find(key)
      if (answer.kind === 'found') return answer.value
      if (answer.kind === 'absent') continue
      log.warning(`${maps.title} lookup error for ${key}`)
      return undefined
    }
    return undefined
  }
}
