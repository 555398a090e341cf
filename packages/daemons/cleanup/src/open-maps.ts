/**
 * open-maps - opens the tables that main.cf names, before the jail closes
 *
 * Canonical and virtual results are lists of addresses in external form, completed by trivial-rewrite(8); a BCC result is
 * one address, taken as it is.
 *
 * Source: Postfix 3.7 canonical(5), virtual(5), ADDRESS_REWRITING_README.
 */
import { addressOfLiteral } from '@posthorn/address/hostname'
import { foldCase } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { CheckTable, CheckTables } from '@posthorn/message/content-checks'
import { MapList, type AddressRules } from '@posthorn/tables/map-list'
import { DomainList, StringList } from '@posthorn/tables/match-list'
import type { AddressMap } from './address-map.ts'
import type { AddressRewriter } from './address-rewriter.ts'
import type { CleanupMaps } from './cleanup-maps.ts'
import { CopyMap, ResultListMap } from './table-maps.ts'

/** @throws {ConfigError} a parameter holds something that is no table */
export function openMaps(config: MainConfig, rewriter: AddressRewriter): CleanupMaps {
  const context = { config }
  const rules = addressRules(config)
  const open = (name: MapParameter): MapList | undefined => {
    const list = MapList.open(name, config.text(name), context)
    return list.isEmpty ? undefined : list
  }
  const propagates = config.list('propagate_unmatched_extensions')
  const results = (name: MapParameter, kind: string): AddressMap | undefined => {
    const list = open(name)
    const keepsExtension = propagates.includes(kind)
    return list && new ResultListMap(list, { rules, rewriter, keepsExtension })
  }
  const copies = (name: MapParameter): AddressMap | undefined => {
    const list = open(name)
    return list && new CopyMap(list, rules)
  }
  const exceptions = StringList.open(
    'masquerade_exceptions',
    config.text('masquerade_exceptions'),
    context,
  )
  return {
    canonical: results('canonical_maps', 'canonical'),
    senderCanonical: results('sender_canonical_maps', 'canonical'),
    recipientCanonical: results('recipient_canonical_maps', 'canonical'),
    virtualAlias: results('virtual_alias_maps', 'virtual'),
    senderBcc: copies('sender_bcc_maps'),
    recipientBcc: copies('recipient_bcc_maps'),
    checks: openChecks(open),
    masqueradeExceptions: exceptions.isEmpty ? undefined : exceptions,
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

function addressRules(config: MainConfig): AddressRules {
  const origin = foldCase(config.text('myorigin'))
  const destinations = DomainList.open('mydestination', config.text('mydestination'), { config })
  return {
    extensions: {
      delimiters: config.text('recipient_delimiter'),
      isOwnerRequestSpecial: config.boolean('owner_request_special'),
      doubleBounce: config.text('double_bounce_sender'),
    },
    isLocalDomain: (domain) =>
      foldCase(domain) === origin ||
      (addressOfLiteral(domain) === undefined && destinations.matches(domain)),
  }
}
