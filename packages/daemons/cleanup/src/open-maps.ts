/**
 * open-maps - opens the tables that main.cf names, before the jail closes
 *
 * Canonical and virtual results are lists of addresses in external form, completed by trivial-rewrite(8); a BCC result is
 * one address, taken as it is.
 *
 * Source: Postfix 3.7 canonical(5), virtual(5), ADDRESS_REWRITING_README.
 */
import { lookup } from 'node:dns/promises'
import { addressOfLiteral } from '@posthorn/address/hostname'
import { canonicalAddress, findOwnAddresses } from '@posthorn/address/own-addresses'
import { foldCase } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { CheckTable, CheckTables } from '@posthorn/message/content-checks'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { MapList, type AddressRules } from '@posthorn/tables/map-list'
import { DomainList, StringList } from '@posthorn/tables/match-list'
import type { AddressMap } from './address-map.ts'
import type { AddressRewriter } from './address-rewriter.ts'
import type { CleanupMaps } from './cleanup-maps.ts'
import { CopyMap, ResultListMap } from './table-maps.ts'

/** @throws {ConfigError} a parameter holds something that is no table */
export async function openMaps(
  config: MainConfig,
  rewriter: AddressRewriter,
): Promise<CleanupMaps> {
  const context = { config }
  const tables: LookupTable[] = []
  const open = (name: MapParameter): MapList | undefined => {
    const list = MapList.open(name, config.text(name), context)
    tables.push(...list.tables)
    return list.isEmpty ? undefined : list
  }
  const lists = {
    canonical: open('canonical_maps'),
    senderCanonical: open('sender_canonical_maps'),
    recipientCanonical: open('recipient_canonical_maps'),
    virtualAlias: open('virtual_alias_maps'),
    senderBcc: open('sender_bcc_maps'),
    recipientBcc: open('recipient_bcc_maps'),
  }
  const rules = await addressRules(config)
  const quotedRules = { ...rules, onlyQuoted: true }
  const propagates = config.list('propagate_unmatched_extensions')
  const results = (list: MapList | undefined, kind: string): AddressMap | undefined => {
    const keepsExtension = propagates.includes(kind)
    return list && new ResultListMap(list, { rules: quotedRules, rewriter, keepsExtension })
  }
  const exceptions = StringList.open(
    'masquerade_exceptions',
    config.text('masquerade_exceptions'),
    context,
  )
  return {
    canonical: results(lists.canonical, 'canonical'),
    senderCanonical: results(lists.senderCanonical, 'canonical'),
    recipientCanonical: results(lists.recipientCanonical, 'canonical'),
    virtualAlias: results(lists.virtualAlias, 'virtual'),
    senderBcc: lists.senderBcc && new CopyMap(lists.senderBcc, rules),
    recipientBcc: lists.recipientBcc && new CopyMap(lists.recipientBcc, rules),
    checks: openChecks(open),
    masqueradeExceptions: exceptions.isEmpty ? undefined : exceptions,
    staleTable: () => tables.find((table) => table.isStale === true)?.name,
  }
}

type MapParameter =
  | 'canonical_maps'
  | 'sender_canonical_maps'
  | 'recipient_canonical_maps'
  | 'virtual_alias_maps'
  | 'sender_bcc_maps'
  | 'recipient_bcc_maps'
  | 'header_checks'
  | 'mime_header_checks'
  | 'nested_header_checks'
  | 'body_checks'

function openChecks(open: (name: MapParameter) => CheckTable | undefined): CheckTables | undefined {
  const tables: CheckTables = {
    header: open('header_checks'),
    mimeHeader: open('mime_header_checks'),
    nestedHeader: open('nested_header_checks'),
    body: open('body_checks'),
  }
  return Object.values(tables).every((table) => table === undefined) ? undefined : tables
}

async function addressRules(config: MainConfig): Promise<AddressRules> {
  const own = await findOwnAddresses(
    config.list('inet_interfaces'),
    config.list('proxy_interfaces'),
    hostAddresses,
  )
  const origin = foldCase(config.origin())
  const destinations = DomainList.open('mydestination', config.text('mydestination'), { config })
  return {
    extensions: {
      delimiters: config.text('recipient_delimiter'),
      isOwnerRequestSpecial: config.boolean('owner_request_special'),
      doubleBounce: config.text('double_bounce_sender'),
    },
    isLocalDomain: (domain): boolean | Promise<boolean> => {
      if (foldCase(domain) === origin) return true
      const literal = addressOfLiteral(domain)
      if (literal !== undefined) return own.all.has(canonicalAddress(literal))
      return destinations.matches(domain)
    },
  }
}

async function hostAddresses(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}
