/**
 * address-order - in which order the addresses of a destination are tried
 *
 * Random, then by preference, then by address family where one is preferred; and with both families neither can use
 * up all the tries. Sources: RFC 5321 5.1, RFC 7505; Postfix 3.7.
 */
import { shuffle } from '@posthorn/dns/sort-mx'
import { isIpv6, type ServerHost } from './server-host.ts'

export interface OrderRules {
  /** smtp_randomize_addresses */
  isRandom: boolean
  /** smtp_address_preference */
  preferredFamily: 'any' | 'ipv4' | 'ipv6'
  /** smtp_balance_inet_protocols */
  isBalanced: boolean
  /** smtp_mx_address_limit; 0 = none */
  addressLimit: number
}

const MAX_TRIED = 100

export function orderAddresses(
  hosts: readonly ServerHost[],
  rules: OrderRules,
  random: () => number = Math.random,
): ServerHost[] {
  const list = rules.isRandom ? shuffle(hosts, random) : [...hosts]
  const familyRank = (host: ServerHost): number => {
    if (rules.preferredFamily === 'any') return 0
    return isIpv6(host) === (rules.preferredFamily === 'ipv6') ? 0 : 1
  }
  list.sort(
    (one, other) => one.preference - other.preference || familyRank(one) - familyRank(other),
  )
  return rules.isBalanced && rules.addressLimit > 0 ? balance(list, rules.addressLimit) : list
}

/** Cuts the list so that within the first `limit` tries each family has its part, the order unchanged. */
function balance(list: readonly ServerHost[], addressLimit: number): ServerHost[] {
  const limit = Math.min(addressLimit, MAX_TRIED)
  const ipv6Count = list.filter(isIpv6).length
  const ipv4Count = list.length - ipv6Count
  if (ipv4Count === 0 || ipv6Count === 0 || list.length <= limit) return [...list]

  const half = Math.floor(limit / 2)
  let ipv4Left: number
  if (ipv6Count <= half) ipv4Left = limit - ipv6Count
  else if (ipv4Count <= half) ipv4Left = ipv4Count
  else {
    const startsWithIpv4 = list[0] !== undefined && !isIpv6(list[0])
    ipv4Left = Math.floor((limit + (startsWithIpv4 ? 1 : 0)) / 2)
  }
  let ipv6Left = limit - ipv4Left
  return list.filter((host) => (isIpv6(host) ? ipv6Left-- > 0 : ipv4Left-- > 0))
}
