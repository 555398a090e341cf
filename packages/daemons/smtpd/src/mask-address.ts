/**
 * mask-address - the network of an address, for counting clients
 */
import { SocketAddress } from 'node:net'

/** Octets of an address: four, or sixteen; NaN for what is none. */
export function octetsOf(address: string): number[] {
  if (!address.includes(':')) return address.split('.').map(Number)
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const text =
    dotted === null
      ? address
      : `${dotted[1] ?? ''}${(Number(dotted[2]) * 256 + Number(dotted[3])).toString(16)}:${(Number(dotted[4]) * 256 + Number(dotted[5])).toString(16)}`
  const [head = '', tail] = text.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const middle = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...middle, ...right].flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 255]
  })
}

/** `address` with all bits behind the first `prefix` cleared; unchanged when all of them count. */
export function maskAddress(address: string, prefix: number): string {
  const isV6 = address.includes(':')
  if (prefix >= (isV6 ? 128 : 32)) return address
  const masked = octetsOf(address).map((octet, index) => {
    const bits = Math.max(0, Math.min(8, prefix - index * 8))
    return octet & (0xff << (8 - bits)) & 0xff
  })
  if (!isV6) return masked.join('.')
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((masked[index * 2] ?? 0) << 8) | (masked[index * 2 + 1] ?? 0)).toString(16),
  )
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}
