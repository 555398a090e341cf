/**
 * host-identity - the defaults of myhostname, mydomain and mynetworks
 *
 * Nothing here asks the DNS. Source: Postfix 3.7 postconf(5).
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname, networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { splitWords } from './split-list.ts'

/** The system's host name; without a dot, completed with the domain, or with `localdomain`. */
export function defaultHostname(domain: string | undefined): string {
  const name = hostname()
  return name.includes('.') ? name : `${name}.${domain ?? 'localdomain'}`
}

/** What follows the first dot; `localdomain` without one. */
export function defaultDomain(myhostname: string): string {
  const dot = myhostname.indexOf('.')
  return dot < 0 ? 'localdomain' : myhostname.slice(dot + 1)
}

export interface NetworkChoice {
  /** mynetworks_style: class, subnet or host. */
  readonly style: 'class' | 'subnet' | 'host'
  /** inet_interfaces: `all`, `loopback-only`, or addresses and names that /etc/hosts knows. */
  readonly interfaces: string
  /** inet_protocols. */
  readonly protocols: string
}

/** The networks of the chosen interfaces, IPv4 first: `192.0.2.0/24 [2001:db8::]/32`. */
export function defaultNetworks(choice: NetworkChoice): string {
  const found = new Set<string>()
  for (const address of chosenAddresses(choice)) found.add(networkOf(address, choice.style))
  return [...found].join(' ')
}

function chosenAddresses(choice: NetworkChoice): NetworkInterfaceInfo[] {
  const protocols = splitWords(choice.protocols.toLowerCase())
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const usable = (['IPv4', 'IPv6'] as const)
    .filter((family) => protocols.includes('all') || protocols.includes(family.toLowerCase()))
    .flatMap((family) => all.filter((address) => address.family === family))
  const words = splitWords(choice.interfaces.toLowerCase())
  if (words.includes('all')) return usable
  if (words.includes('loopback-only')) return usable.filter((address) => address.internal)
  const wanted = new Set(words.flatMap(addressesOf))
  return usable.filter((address) => wanted.has(address.address))
}

function addressesOf(host: string): string[] {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) !== 0) return [bare]
  // eslint-disable-next-line n/no-sync -- a small file, once, when inet_interfaces has names
  const hosts = readFileSync('/etc/hosts', 'latin1')
  return hosts
    .split('\n')
    .map((line) => line.replace(/#.*/, '').toLowerCase().trim().split(/\s+/))
    .filter(([, ...names]) => names.includes(host))
    .flatMap(([address]) => (address === undefined ? [] : [address]))
}

function networkOf(info: NetworkInterfaceInfo, style: NetworkChoice['style']): string {
  if (info.family === 'IPv6') {
    const prefix = style === 'host' ? 128 : prefixLength(info)
    return `[${formatIpv6(mask(parseIpv6(info.address), 128, prefix))}]/${prefix}`
  }
  const address = BigInt(
    info.address.split('.').reduce((value, octet) => value * 256 + Number(octet), 0),
  )
  const prefix =
    style === 'host'
      ? 32
      : style === 'class'
        ? classPrefix(Number(address >> 24n))
        : prefixLength(info)
  const network = mask(address, 32, prefix)
  const octets = [24n, 16n, 8n, 0n].map((shift) => (network >> shift) & 255n)
  return `${octets.join('.')}/${prefix}`
}

function prefixLength(info: NetworkInterfaceInfo): number {
  return Number(info.cidr?.split('/')[1] ?? (info.family === 'IPv6' ? 128 : 32))
}

/** Class A, B, C, and D as one network of four bits (RFC 791 3.2). */
function classPrefix(firstOctet: number): number {
  if (firstOctet < 128) return 8
  if (firstOctet < 192) return 16
  return firstOctet < 224 ? 24 : 4
}

function mask(address: bigint, width: number, prefix: number): bigint {
  const hostBits = BigInt(width - prefix)
  return (address >> hostBits) << hostBits
}

function parseIpv6(text: string): bigint {
  const [head = '', tail] = text.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const left = groups(head)
  const right = groups(tail ?? '')
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  const all = [...left, ...Array.from({ length: gap }, () => '0'), ...right]
  return all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n)
}

function formatIpv6(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((address >> BigInt(112 - 16 * at)) & 0xffffn).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
