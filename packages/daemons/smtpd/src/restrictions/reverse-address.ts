/**
 * reverse-address - an address as a DNS blocklist wants it asked for (RFC 5782 2.1, 2.4)
 */
import { octetsOf } from '../mask-address.ts'

/** 192.0.2.1 gives 1.2.0.192; an IPv6 address its 32 nibbles; undefined for what is no address. */
export function reverseAddress(address: string): string | undefined {
  const octets = octetsOf(address)
  if (octets.some((octet) => !Number.isInteger(octet))) return undefined
  if (!address.includes(':')) return octets.reverse().join('.')
  const nibbles = octets.flatMap((octet) => [octet >> 4, octet & 15])
  return nibbles
    .reverse()
    .map((nibble) => nibble.toString(16))
    .join('.')
}
