/**
 * address-rules - how a whole address is looked up in a table: with its extension and without, as user@, and as a bare user
 * where the domain is ours
 *
 * Ours is $myorigin, what mydestination matches, and an address literal of this host. Source: Postfix 3.7 generic(5), canonical(5).
 */
import { addressOfLiteral } from '@posthorn/address/hostname'
import { canonicalAddress, type OwnAddresses } from '@posthorn/address/own-addresses'
import { foldCase } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { AddressRules } from '@posthorn/tables/map-list'
import { DomainList } from '@posthorn/tables/match-list'

export function readAddressRules(config: MainConfig, own: Promise<OwnAddresses>): AddressRules {
  const origin = foldCase(config.origin())
  const destinations = DomainList.open('mydestination', config.text('mydestination'), { config })
  return {
    extensions: {
      delimiters: config.text('recipient_delimiter'),
      isOwnerRequestSpecial: config.boolean('owner_request_special'),
      doubleBounce: config.text('double_bounce_sender'),
    },
    isLocalDomain: async (domain) => {
      if (foldCase(domain) === origin) return true
      const literal = addressOfLiteral(domain)
      if (literal !== undefined) return (await own).all.has(canonicalAddress(literal))
      return destinations.matches(domain)
    },
  }
}
