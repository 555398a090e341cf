/**
 * find-transport - the entry of transport_maps for a recipient
 *
 *     user+extension@domain   user@domain   domain   .parent   .grandparent   *
 *
 * Tables of patterns are asked for the full address only. Source: Postfix 3.7 transport(5).
 */
import { splitAddress, splitExtension, type ExtensionRules } from '@posthorn/address/split-address'
import { quoteAddress } from '@posthorn/address/quote-address'
import { ABSENT, type LookupResult } from '@posthorn/tables/lookup-table'
import type { MapList } from '@posthorn/tables/map-list'

function partialKeys(local: string, domain: string, extensions: ExtensionRules): string[] {
  const split = splitExtension(local, extensions)
  const keys = split === undefined ? [] : [quoteAddress(`${split.user}@${domain}`)]
  keys.push(domain)
  if (!domain.startsWith('[')) {
    for (let dot = domain.indexOf('.', 1); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
      keys.push(domain.slice(dot))
    }
  }
  keys.push('*')
  return keys
}

/** @param recipient internal form, with its domain */
export async function findTransport(
  maps: MapList,
  recipient: string,
  extensions: ExtensionRules,
): Promise<LookupResult> {
  if (maps.isEmpty) return ABSENT
  const whole = await maps.find(quoteAddress(recipient))
  if (whole.kind !== 'absent') return whole
  const { local, domain } = splitAddress(recipient)
  for (const key of partialKeys(local, domain ?? '', extensions)) {
    const answer = await maps.findPart(key)
    if (answer.kind !== 'absent') return answer
  }
  return ABSENT
}
