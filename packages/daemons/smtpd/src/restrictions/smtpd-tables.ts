/**
 * smtpd-tables - the lookup tables and match lists of smtpd(8), opened while privileges last
 *
 * A table is opened once however often lists name it.
 */
import { networkInterfaces } from 'node:os'
import type { ExtensionRules } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { MapList, type AddressRules } from '@posthorn/tables/map-list'
import { AddressList, DomainList, StringList } from '@posthorn/tables/match-list'
import { openTable, type TableContext } from '@posthorn/tables/open-table'
import { PermissionLists } from '../client-permissions.ts'
import { ReplyFooter } from '../reply-footer.ts'
import { AddressMap } from './address-map.ts'

type MapParameter =
  | 'recipient_canonical_maps'
  | 'canonical_maps'
  | 'virtual_alias_maps'
  | 'local_recipient_maps'
  | 'virtual_mailbox_maps'
  | 'relay_recipient_maps'

export class SmtpdTables {
  readonly extensions: ExtensionRules
  readonly myNetworks: AddressList
  readonly limitExceptions: AddressList
  readonly bareNewlineExclusions: AddressList
  readonly mxBackupNetworks: AddressList
  readonly forbiddenCommands: StringList
  readonly noopCommands: StringList
  readonly permitLog: StringList
  readonly flushDomains: DomainList
  readonly permissions: PermissionLists
  readonly footer: ReplyFooter | undefined
  readonly commandFilter: MapList
  readonly blocklistReplies: MapList
  /** Addresses of this host. */
  readonly ownAddresses: ReadonlySet<string>
  /** Those, and the ones in front of us: proxy_interfaces. */
  readonly reachableAddresses: ReadonlySet<string>
  readonly #config: MainConfig
  readonly #context: TableContext
  readonly #rules: AddressRules
  readonly #tables = new Map<string, LookupTable>()
  readonly #maps: MapList[] = []

  /** @throws {ConfigError} a reference to a table makes no sense */
  constructor(config: MainConfig) {
    this.#config = config
    this.#context = { config }
    this.extensions = {
      delimiters: config.text('recipient_delimiter'),
      isOwnerRequestSpecial: config.boolean('owner_request_special'),
      doubleBounce: config.text('double_bounce_sender'),
    }
    const entries = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
    this.ownAddresses = new Set(entries.map(({ address }) => address))
    this.reachableAddresses = new Set([...this.ownAddresses, ...config.list('proxy_interfaces')])
    this.#rules = { extensions: this.extensions, isLocalDomain: this.#localDomains() }
    this.myNetworks = this.#openAddresses('mynetworks')
    this.limitExceptions = this.#openAddresses('smtpd_client_event_limit_exceptions')
    this.mxBackupNetworks = this.#openAddresses('permit_mx_backup_networks')
    this.bareNewlineExclusions = this.#openAddresses('smtpd_forbid_bare_newline_exclusions')
    this.forbiddenCommands = this.#openWords('smtpd_forbidden_commands')
    this.noopCommands = this.#openWords('smtpd_noop_commands')
    this.permitLog = this.#openWords('smtpd_log_access_permit_actions')
    this.flushDomains = this.#openDomains('fast_flush_domains')
    this.permissions = new PermissionLists(config)
    this.footer = ReplyFooter.open(config)
    this.blocklistReplies = MapList.open(
      'rbl_reply_maps',
      config.text('rbl_reply_maps'),
      this.#context,
    )
    const filter = 'smtpd_command_filter'
    this.commandFilter = MapList.open(filter, config.text(filter), this.#context)
  }

  openTable(name: string): LookupTable {
    const opened = this.#tables.get(name) ?? openTable(name, this.#context)
    this.#tables.set(name, opened)
    return opened
  }

  /** The tables of a parameter, searched as for an envelope address. */
  openMap(parameter: MapParameter): AddressMap {
    const maps = MapList.open(parameter, this.#config.text(parameter), this.#context)
    this.#maps.push(maps)
    return new AddressMap(maps, this.#rules)
  }

  /** A table that cannot follow its file any more; only a fresh process can open it again. */
  findStale(): LookupTable | undefined {
    for (const table of this.#tables.values()) if (table.isStale === true) return table
    for (const { tables } of this.#maps) {
      const stale = tables.find((table) => table.isStale === true)
      if (stale !== undefined) return stale
    }
    return undefined
  }

  /** Domains whose users are found by their local part alone: mydestination, and this host's addresses. */
  #localDomains(): (domain: string) => Promise<boolean> {
    const destinations = this.#openDomains('mydestination')
    return async (domain) => {
      const literal = /^\[(?:IPv6:)?(.*)\]$/i.exec(domain)?.[1]
      return literal === undefined ? destinations.matches(domain) : this.ownAddresses.has(literal)
    }
  }

  #openAddresses(
    name:
      | 'mynetworks'
      | 'permit_mx_backup_networks'
      | 'smtpd_client_event_limit_exceptions'
      | 'smtpd_forbid_bare_newline_exclusions',
  ): AddressList {
    return AddressList.open(name, this.#config.text(name), this.#context)
  }

  #openWords(
    name: 'smtpd_forbidden_commands' | 'smtpd_noop_commands' | 'smtpd_log_access_permit_actions',
  ): StringList {
    return StringList.open(name, this.#config.text(name), this.#context)
  }

  #openDomains(name: 'fast_flush_domains' | 'mydestination'): DomainList {
    return DomainList.open(name, this.#config.text(name), this.#context)
  }
}
