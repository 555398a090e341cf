/**
 * hostname - is a text a host name, an address literal, an IP address
 *
 * Sources: RFC 1123 2.1, RFC 5321 4.1.2 and 4.1.3; Postfix 3.7 accepts `_` in labels and refuses names of digits only.
 */
import { isIPv4, isIPv6 } from 'node:net'

const label = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
const hostname = new RegExp(`^${label}(?:\\.${label})*$`)
const allDigits = /^[0-9.]*$/

/** At most 255 octets; labels of 1 to 63 letters, digits, `_` and inner `-`; not digits and dots alone; no dot at the end. */
export function isValidHostname(name: string): boolean {
  return name.length <= 255 && hostname.test(name) && !allDigits.test(name)
}

/**
 * As isValidHostname(), but labels may also hold octets above 127 that are valid UTF-8 (internationalised names,
 * RFC 6531 3.3).
 */
export function isValidUtf8Hostname(name: string): boolean {
  if (isValidHostname(name)) return true
  if (!/[\x80-\xff]/.test(name)) return false
  if (Buffer.from(name, 'latin1').toString('utf8').includes('\ufffd')) return false
  return isValidHostname(name.replace(/[\x80-\xff]+/g, 'x'))
}

/** Dotted quad or colon form, without brackets or `IPv6:` prefix; no zone. */
export function isValidIpAddress(text: string): boolean {
  if (text.includes('%')) return false
  // 0.x.x.x means "this network" and is no host, except 0.0.0.0 itself in the other notations that nobody mails to.
  return (isIPv4(text) && !text.startsWith('0.')) || isIPv6(text)
}

/** `[192.0.2.1]` or `[IPv6:2001:db8::1]` with its brackets (RFC 5321 4.1.3). */
export function isValidAddressLiteral(text: string): boolean {
  return addressOfLiteral(text) !== undefined
}

/** The IP address inside an address literal, undefined when it is not one. */
export function addressOfLiteral(text: string): string | undefined {
  if (!text.startsWith('[') || !text.endsWith(']')) return undefined
  const inner = text.slice(1, -1)
  if (/^IPv6:/i.test(inner)) {
    const address = inner.slice('IPv6:'.length)
    return !address.includes('%') && isIPv6(address) ? address : undefined
  }
  return isIPv4(inner) && !inner.startsWith('0.') ? inner : undefined
}
