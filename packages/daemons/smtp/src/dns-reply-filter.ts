/**
 * dns-reply-filter - smtp_dns_reply_filter: records that the administrator wants not to have seen
 *
 * A record is looked up as `name ttl class type [preference] value`, names with a dot at the end; the only action is IGNORE.
 * A domain of which nothing is left is one to try again later.
 * Source: Postfix 3.7 postconf(5).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { DnsRecord, FoundAnswer, MissingAnswer } from '@posthorn/dns/dns-answer'
import { log } from '@posthorn/log/log'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { MapList } from '@posthorn/tables/map-list'
import type { Protocol } from './client-options.ts'

export type FilteredType = 'MX' | 'A' | 'AAAA' | 'SRV' | 'TLSA'

export class DnsReplyFilter {
  readonly #maps: MapList

  private constructor(maps: MapList) {
    this.#maps = maps
  }

  /** Undefined: the parameter is empty. @throws {ConfigError} it names no table */
  static open(config: MainConfig, protocol: Protocol): DnsReplyFilter | undefined {
    const name = `${protocol}_dns_reply_filter` as const
    const maps = MapList.open(name, config.text(name), { config })
    return maps.isEmpty ? undefined : new DnsReplyFilter(maps)
  }

  get tables(): readonly LookupTable[] {
    return this.#maps.tables
  }

  /** The records that are left of those found; a failure of class 4 where none is. */
  async apply<T extends FilteredType>(
    query: string,
    type: T,
    answer: FoundAnswer<T>,
  ): Promise<FoundAnswer<T> | MissingAnswer> {
    const records: DnsRecord<T>[] = []
    for (const record of answer.records) {
      const text = describe(type, record)
      const found = await this.#maps.find(text)
      if (found.kind === 'absent') {
        records.push(record)
        continue
      }
      if (found.kind === 'tryAgain' || found.value.trim().toUpperCase() !== 'IGNORE') {
        if (found.kind === 'found') {
          log.warning(`${this.#maps.title}: unknown DNS filter action: "${found.value}"`)
        }
        return failure('tryAgain', query, type, 'Invalid DNS reply filter syntax')
      }
      log.info(`ignoring DNS RR: ${text}`)
    }
    if (records.length > 0) return { ...answer, records }
    return failure('filtered', query, type, 'DNS reply filter drops all results')
  }
}

function failure(
  kind: 'tryAgain' | 'filtered',
  name: string,
  type: FilteredType,
  text: string,
): MissingAnswer {
  return { kind, name, reason: `Error looking up name=${name} type=${type}: ${text}` }
}

function describe(type: FilteredType, record: DnsRecord<FilteredType>): string {
  return `${record.name}. ${record.ttlSeconds} IN ${type} ${describeData(record)}`
}

function describeData(record: DnsRecord<FilteredType>): string {
  if ('address' in record) return record.address
  if ('preference' in record) return `${record.preference} ${record.host}.`
  if ('host' in record) return `${record.priority} ${record.weight} ${record.port} ${record.host}.`
  const { usage, selector, matchingType, certificate } = record
  return `${usage} ${selector} ${matchingType} ${certificate.toString('hex')}`
}
