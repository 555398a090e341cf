/**
 * ip-network - IP addresses as octets, networks of them
 *
 * IPv4 and IPv6 never match each other, mapped addresses included. Source: Postfix 3.7 cidr_table(5).
 */
import { isIPv4, isIPv6 } from 'node:net'

/** 4 or 16 octets. */
export type IpOctets = readonly number[]

/** undefined: the text is no IP address. Brackets around it are allowed, a zone is not. */
export function parseIp(text: string): IpOctets | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (isIPv4(bare)) return bare.split('.').map(Number)
  if (!isIPv6(bare) || bare.includes('%')) return undefined
  const [head = '', tail] = bare.split('::')
  const left = octetsOf(head)
  const right = octetsOf(tail ?? '')
  const gap = Array.from({ length: 16 - left.length - right.length }, () => 0)
  return [...left, ...gap, ...right]
}

/** The groups on one side of `::`, each two octets; the last may be a dotted quad. */
function octetsOf(groups: string): number[] {
  if (groups === '') return []
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = parseInt(group, 16)
    return [value >> 8, value & 255]
  })
}

function formatIp(octets: IpOctets): string {
  if (octets.length === 4) return octets.join('.')
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((octets[2 * at] ?? 0) << 8) | (octets[2 * at + 1] ?? 0)).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

export type ParsedNetwork =
  | { readonly kind: 'network'; readonly network: Network }
  | { readonly kind: 'malformed'; readonly why: string }

export class Network {
  readonly #octets: IpOctets
  readonly #prefix: number

  private constructor(octets: IpOctets, prefix: number) {
    this.#octets = octets
    this.#prefix = prefix
  }

  /** `192.0.2.0/24`, `192.0.2.1`, `[2001:db8::]/32`, `[2001:db8::/32]`. */
  static parse(text: string): ParsedNetwork {
    const malformed = (why: string): ParsedNetwork => ({ kind: 'malformed', why })
    const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text
    const slash = bare.indexOf('/')
    const address = slash < 0 ? bare : bare.slice(0, slash)
    const octets = parseIp(address)
    if (slash < 0) {
      if (octets === undefined) return malformed(`bad address pattern: "${text}"`)
      return { kind: 'network', network: new Network(octets, octets.length * 8) }
    }
    const mask = bare.slice(slash + 1)
    if (octets === undefined) return malformed(`bad network value in "${text}"`)
    if (!/^\d+$/.test(mask)) return malformed(`bad mask value in "${text}"`)
    const prefix = Number(mask)
    if (prefix > octets.length * 8) return malformed(`bad mask length in "${text}"`)
    const network = octets.map((octet, at) => octet & maskOctet(prefix, at))
    if (network.some((octet, at) => octet !== octets[at])) {
      const better = `${formatIp(network)}/${prefix}`
      return malformed(
        `non-null host address bits in "${text}", perhaps you should use "${better}" instead`,
      )
    }
    return { kind: 'network', network: new Network(network, prefix) }
  }

  /** The address is of the same family. */
  isComparable(address: IpOctets): boolean {
    return address.length === this.#octets.length
  }

  contains(address: IpOctets | undefined): boolean {
    if (address === undefined || !this.isComparable(address)) return false
    for (let at = 0; at * 8 < this.#prefix; at++) {
      const octet = (address[at] ?? 0) & maskOctet(this.#prefix, at)
      if (octet !== this.#octets[at]) return false
    }
    return true
  }
}

/** The mask of the octet at this place. */
function maskOctet(prefix: number, at: number): number {
  const bits = Math.max(0, Math.min(8, prefix - at * 8))
  return (0xff00 >> bits) & 0xff
}
