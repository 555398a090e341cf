/**
 * client-tables - the lookup tables of the SMTP client
 *
 * Opened before the process gives up its privileges and enters its jail. A table that cannot be asked ends the
 * dialogue that needs it with a "local data error", and the mail waits.
 * Source: Postfix 3.7.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { LookupResult, LookupTable } from '@posthorn/tables/lookup-table'
import { MapList } from '@posthorn/tables/map-list'
import { StringList } from '@posthorn/tables/match-list'
import { openedTables, openTable } from '@posthorn/tables/open-table'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import type { Protocol } from './client-options.ts'
import { openDebugPeers } from './debug-peers.ts'
import { DnsReplyFilter } from './dns-reply-filter.ts'
import { GenericMaps } from './generic-maps.ts'
import { openChecks } from './header-and-body-checks.ts'
import { ownAddresses } from './start-client.ts'
import { RequireTlsPolicy } from './require-tls.ts'
import { LocalDataError } from './session.ts'
import type { ClientTables } from './smtp-client.ts'
import { openTlsLogLevels } from './tls-log-levels.ts'
import type { TlsTables } from './tls-policies.ts'

type Find = (key: string) => Promise<string | undefined>

/** @throws {LocalDataError} from the function that it returns, when a table cannot be asked */
function finder(maps: MapList): Find | undefined {
  if (maps.isEmpty) return undefined
  return async (key) => valueOf(await maps.find(key), `${maps.title} map lookup error for ${key}`)
}

/** smtp_reply_filter: one table, and what it does not know stays as it is. @throws {LocalDataError} as finder() */
function replyFilter(table: LookupTable): Find {
  return async (line) =>
    valueOf(await table.find(line), `table ${table.name} lookup error for ${line}`)
}

function valueOf(answer: LookupResult, trouble: string): string | undefined {
  if (answer.kind === 'tryAgain') throw new LocalDataError(trouble)
  return answer.kind === 'found' ? answer.value : undefined
}

function destinationTest(list: StringList): ClientTables['isCachedDestination'] {
  if (list.isEmpty) return undefined
  return async (name) => {
    try {
      return await list.matches(name)
    } catch (error) {
      if (!(error instanceof TableUnavailableError)) throw error
      return false // it only decides how fast the mail goes
    }
  }
}

export interface OpenedTables {
  tables: ClientTables
  tls: TlsTables
  /** Why the process should end: a table was replaced by one that it may not open. */
  outdated: () => string | undefined
}

/** @throws {ConfigError} a parameter names no table */
export function openClientTables(config: MainConfig, protocol: Protocol): OpenedTables {
  const context = { config }
  const open = (name: Parameters<MainConfig['text']>[0]): MapList =>
    MapList.open(name, config.text(name), context)

  const keywordMaps = open(
    protocol === 'smtp'
      ? 'smtp_discard_ehlo_keyword_address_maps'
      : 'lmtp_discard_lhlo_keyword_address_maps',
  )
  const pixMaps = open(`${protocol}_pix_workaround_maps`)
  const policyMaps = open(`${protocol}_tls_policy_maps`)
  const perSite = open(`${protocol}_tls_per_site`)
  const filterText = config.text(`${protocol}_reply_filter`)
  const filterTable = filterText === '' ? undefined : openTable(filterText, context)
  const destinations = `${protocol}_connection_cache_destinations` as const
  const generic = GenericMaps.open(config, protocol, async () => ownAddresses(config))
  const checks = openChecks(config, protocol)
  const dnsFilter = DnsReplyFilter.open(config, protocol)
  return {
    tls: { policyMaps, perSite },
    tables: {
      isDebugPeer: openDebugPeers(config),
      findDiscardedKeywords: finder(keywordMaps),
      findPixWorkarounds: finder(pixMaps),
      generic,
      dnsFilter,
      requireTls: RequireTlsPolicy.open(config, protocol),
      findTlsLogLevel: openTlsLogLevels(config, protocol),
      checks: checks?.lookups,
      filterReply: filterTable === undefined ? undefined : replyFilter(filterTable),
      isCachedDestination: destinationTest(
        StringList.open(destinations, config.text(destinations), context),
      ),
    },
    outdated: () => {
      // of all parameters: those of the delivery context, and of lists that have tables in them, too
      const stale = openedTables(config).find((table) => table.isStale === true)
      return stale === undefined ? undefined : `table ${stale.name} has changed -- restarting`
    },
  }
}
