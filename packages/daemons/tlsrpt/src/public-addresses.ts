/**
 * public-addresses - the addresses of a server of somebody else, for a connection that somebody else asked for
 *
 * A record of any domain may name any host. Those inside our own network are not for it to reach.
 * Sources: RFC 6890 (addresses of special use), RFC 1035 by way of lib/dns.
 */
import { BlockList, isIPv4 } from 'node:net'
import type { Resolver } from '@posthorn/dns/resolver'

const SPECIAL = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  SPECIAL.addSubnet(network, prefix, 'ipv4')
}
const GLOBAL_UNICAST = new BlockList()
GLOBAL_UNICAST.addSubnet('2000::', 3, 'ipv6')
/** 2002::/16 and 2001::/32 lead to any IPv4 address. */
SPECIAL.addSubnet('2002::', 16, 'ipv6')
SPECIAL.addSubnet('2001::', 32, 'ipv6')

/** It belongs to no network of special use. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !SPECIAL.check(address, 'ipv4')
  return GLOBAL_UNICAST.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6')
}

export interface ServerAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** Those of `host` that may be reached, IPv4 first; may be none. Never rejects. */
export async function findPublicAddresses(
  resolver: Resolver,
  host: string,
): Promise<readonly ServerAddress[]> {
  const [v4, v6] = await Promise.all([resolver.query(host, 'A'), resolver.query(host, 'AAAA')])
  const addresses: ServerAddress[] = []
  if (v4.kind === 'found')
    for (const { address } of v4.records) addresses.push({ address, family: 4 })
  if (v6.kind === 'found')
    for (const { address } of v6.records) addresses.push({ address, family: 6 })
  return addresses.filter(({ address }) => isPublicAddress(address))
}
