/**
 * tls-per-site - reads smtp_tls_per_site, which smtp_tls_policy_maps replaced long ago
 *
 * Two look-ups, by next-hop and by server name. MAY is the least specific answer and yields to any other; of the rest the
 * more secure one counts; MAY also yields to what main.cf asks of everybody. Source: Postfix 3.7 postconf(5).
 */
import { log } from '@posthorn/log/log'
import type { MapList } from '@posthorn/tables/map-list'
import { TLS_LEVELS } from '@posthorn/wire/tlsproxy-protocol'
import type { TlsRequest } from './tls-policy.ts'

const LEVELS = new Map<string, number>([
  ['NONE', TLS_LEVELS.none],
  ['MAY', TLS_LEVELS.may],
  ['MUST_NOPEERMATCH', TLS_LEVELS.encrypt],
  ['MUST', TLS_LEVELS.verify],
])

type Site = number | 'absent' | 'invalid' | 'tryAgain'

/** `globalLevel`: of main.cf, for all destinations. */
export async function findSitePolicy(
  maps: MapList,
  nexthop: string,
  hostName: string,
  globalLevel: number,
): Promise<TlsRequest | 'invalid' | 'tryAgain'> {
  const byNexthop = await findSite(maps, nexthop, 'next-hop destination')
  if (byNexthop === 'invalid' || byNexthop === 'tryAgain') return byNexthop
  const byHost = await findSite(maps, hostName, 'server hostname')
  if (byHost === 'invalid' || byHost === 'tryAgain') return byHost
  const site = combine(byNexthop, byHost)
  if (site === 'absent' || (site === TLS_LEVELS.may && globalLevel > site)) {
    return { level: globalLevel }
  }
  return { level: site }
}

function combine(one: number | 'absent', other: number | 'absent'): number | 'absent' {
  if (one === 'absent') return other
  if (other === 'absent') return one
  if (one === TLS_LEVELS.may) return other
  if (other === TLS_LEVELS.may) return one
  return Math.max(one, other)
}

async function findSite(maps: MapList, key: string, what: string): Promise<Site> {
  const answer = await maps.find(key)
  if (answer.kind === 'absent') return 'absent'
  if (answer.kind === 'tryAgain') {
    log.warning(`${maps.title}: ${what} "${key}": per-site table lookup error`)
    return 'tryAgain'
  }
  const level = LEVELS.get(answer.value.toUpperCase())
  if (level !== undefined) return level
  log.warning(`${maps.title}: unknown TLS policy '${answer.value}' for ${what} ${key}`)
  return 'invalid'
}
