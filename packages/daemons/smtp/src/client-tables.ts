/**
 * client-tables - the lookup tables of the SMTP client
 *
 * Opened before the process gives up its privileges and enters its jail. A table that cannot be asked ends the
 * dialogue that needs it with a "local data error", and the mail waits.
 * Source: Postfix 3.7.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { MapList } from '@posthorn/tables/map-list'
import { StringList } from '@posthorn/tables/match-list'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import type { Protocol } from './client-options.ts'
import { LocalDataError } from './session.ts'
import type { ClientTables } from './smtp-client.ts'

type Find = (key: string) => Promise<string | undefined>

/** @throws {LocalDataError} from the function that it returns, when a table cannot be asked */
function finder(maps: MapList): Find | undefined {
  if (maps.isEmpty) return undefined
  return async (key) => {
    const answer = await maps.find(key)
    if (answer.kind === 'tryAgain') throw new LocalDataError(`${maps.title}: ${answer.reason}`)
    return answer.kind === 'found' ? answer.value : undefined
  }
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
  const passwordMaps = open(`${protocol}_sasl_password_maps`)
  const replyFilter = open(`${protocol}_reply_filter`)
  const destinations = `${protocol}_connection_cache_destinations` as const
  const usesPasswords = config.boolean(`${protocol}_sasl_auth_enable`)
  const findReply = finder(replyFilter)
  const lists = [keywordMaps, pixMaps, policyMaps, passwordMaps, replyFilter]
  return {
    tables: {
      findDiscardedKeywords: finder(keywordMaps),
      findPixWorkarounds: finder(pixMaps),
      findTlsPolicy: finder(policyMaps),
      findPassword: usesPasswords ? finder(passwordMaps) : undefined,
      filterReply:
        findReply === undefined ? undefined : async (line) => (await findReply(line)) ?? line,
      isCachedDestination: destinationTest(
        StringList.open(destinations, config.text(destinations), context),
      ),
    },
    outdated: () => {
      const stale = lists.flatMap((list) => list.tables).find((table) => table.isStale === true)
      return stale === undefined ? undefined : `table ${stale.name} has changed -- restarting`
    },
  }
}

/** Says which parameters are set and have no effect in this program, instead of keeping quiet about it. */
export function warnAboutUnsupported(config: MainConfig, protocol: Protocol): void {
  const names = [
    `${protocol}_generic_maps`,
    `${protocol}_header_checks`,
    `${protocol}_mime_header_checks`,
    `${protocol}_nested_header_checks`,
    `${protocol}_body_checks`,
    `${protocol}_dns_reply_filter`,
    'best_mx_transport',
  ] as const
  for (const name of names) {
    if (config.text(name) !== '') log.warning(`${name} is not supported yet, and has no effect`)
  }
}
