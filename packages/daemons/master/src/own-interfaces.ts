/**
 * own-interfaces - the addresses that inet_interfaces stands for
 *
 * Found once, at start: master(8) cannot move its listeners, so a later change of the parameter takes a restart.
 * Source: Postfix 3.7 postconf(5) inet_interfaces, inet_protocols.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { ConfigError } from '@posthorn/config/config-error'

export interface Protocols {
  readonly hasIpv4: boolean
  readonly hasIpv6: boolean
}

export function readProtocols(value: string): Protocols {
  const words = value.toLowerCase().split(/[\s,]+/)
  const has = (word: string): boolean => words.includes('all') || words.includes(word)
  return { hasIpv4: has('ipv4'), hasIpv6: has('ipv6') }
}

function isEnabled(address: string, protocols: Protocols): boolean {
  return isIP(address) === 6 ? protocols.hasIpv6 : protocols.hasIpv4
}

/** Of a name, or a numeric address, in the enabled protocols; none when nobody knows the name. */
export async function hostAddresses(host: string, protocols: Protocols): Promise<string[]> {
  if (isIP(host) !== 0) return isEnabled(host, protocols) ? [host] : []
  try {
    const found = await lookup(host, { all: true, order: 'ipv4first' })
    const addresses = found.map(({ address }) => address)
    return [...new Set(addresses)].filter((address) => isEnabled(address, protocols))
  } catch {
    return [] // unknown names have no usable address
  }
}

/** `all` is the wild-card addresses. @throws {ConfigError} a name without address */
export async function ownAddresses(interfaces: string, protocols: Protocols): Promise<string[]> {
  if (!protocols.hasIpv4 && !protocols.hasIpv6) return []
  const enabled = (addresses: readonly string[]): string[] =>
    addresses.filter((address) => isEnabled(address, protocols))
  if (interfaces === 'all') return enabled(['0.0.0.0', '::'])
  if (interfaces === 'loopback-only') return enabled(loopbackAddresses())
  const addresses = new Set<string>()
  for (const word of interfaces.split(/[\s,]+/).filter((word) => word !== '')) {
    const found = await hostAddresses(word.replace(/^\[(?:ipv6:)?(.*)\]$/i, '$1'), protocols)
    if (found.length === 0) {
      throw new ConfigError(`config variable inet_interfaces: host not found: ${word}`)
    }
    for (const address of found) addresses.add(address)
  }
  return [...addresses]
}

function loopbackAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((entry) => entry.internal)
    .map((entry) => entry.address)
}
