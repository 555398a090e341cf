/**
 * find-transport - the entry of transport_maps for a recipient
 *
 *     user+extension@domain   user@domain   domain   .parent   .grandparent   *
 *
 * Parents are looked up without the dot when parent_domain_matches_subdomains names transport_maps.
 * Tables of patterns are asked for the full address only. Source: Postfix 3.7 transport(5).
 */
import { splitAddress, splitExtension, type ExtensionRules } from '@posthorn/address/split-address'
import { quoteAddress } from '@posthorn/address/quote-address'
import {
  ABSENT,
  andThen,
  firstAnswer,
  type LookupResult,
  type MaybePromise,
} from '@posthorn/tables/lookup-table'
import type { MapList } from '@posthorn/tables/map-list'

export interface TransportKeyRules {
  readonly extensions: ExtensionRules
  /** `example.com` also stands for its subdomains, and `.example.com` for nothing. */
  readonly parentsMatch: boolean
}

function partialKeys(local: string, domain: string, rules: TransportKeyRules): string[] {
  const split = splitExtension(local, rules.extensions)
  const keys = split === undefined ? [] : [quoteAddress(`${split.user}@${domain}`)]
  keys.push(domain)
  if (!domain.startsWith('[')) {
    for (let dot = domain.indexOf('.', 1); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
      keys.push(domain.slice(rules.parentsMatch ? dot + 1 : dot))
    }
  }
  keys.push('*')
  return keys
}

/** @param recipient internal form, with its domain */
export function findTransport(
  maps: MapList,
  recipient: string,
  rules: TransportKeyRules,
): MaybePromise<LookupResult> {
  if (maps.isEmpty) return ABSENT
  return andThen(maps.find(quoteAddress(recipient)), (whole): MaybePromise<LookupResult> => {
    if (whole.kind !== 'absent') return whole
    const { local, domain } = splitAddress(recipient)
    const keys = partialKeys(local, domain ?? '', rules)
    return firstAnswer(keys, (key): MaybePromise<LookupResult> => maps.findPart(key))
  })
}
