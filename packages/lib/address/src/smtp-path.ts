/**
 * smtp-path - the argument of MAIL FROM and RCPT TO
 *
 * `<user@example.com> SIZE=100`: a path, then parameters. The lenient form that Postfix accepts by default also takes an
 * address without brackets, comments beside it, and a source route, which is dropped (RFC 5321 3.3 asks to ignore it). The strict form (strict_rfc821_envelopes) is the RFC's grammar with quoted local parts.
 *
 * Octets above 127 pass here; whether they are allowed is SMTPUTF8's business.
 * Sources: RFC 5321 4.1.2, 4.1.1.2, 4.1.1.3; Postfix 3.7 smtpd(8).
 */
import { isValidAddressLiteral } from './hostname.ts'
import { listAddresses } from './address-list.ts'
import { unquoteAddress } from './quote-address.ts'

export class AddressSyntaxError extends SyntaxError {
  override readonly name = 'AddressSyntaxError'
  readonly code = 'POSTHORN_ADDRESS_SYNTAX'
}

export interface SmtpPath {
  /** Internal form: unquoted, without source route; empty for `<>`. */
  readonly address: string
  /** External form as the client wrote it, without brackets and route. */
  readonly external: string
  /** What follows the path, blanks trimmed: the ESMTP parameters. */
  readonly rest: string
}

const blank = /[ \t]/

/**
 * @param text what stands behind `FROM:` or `TO:`
 * @throws {AddressSyntaxError} no path, a bad one, or (strict) anything but the grammar
 */
export function parseSmtpPath(text: string, options: { isStrict?: boolean } = {}): SmtpPath {
  const trimmed = text.replace(/^[ \t]+/, '')
  const end = endOfPath(trimmed)
  const path = trimmed.slice(0, end)
  const rest = trimmed.slice(end).trim()
  if (options.isStrict === true && (trimmed !== text || !/^<[^]*>$/.test(path))) {
    throw new AddressSyntaxError(`Cannot parse path "${path}": want <user@domain>`)
  }
  const external = dropRoute(options.isStrict === true ? path.slice(1, -1) : bareAddress(path))
  if (external === '') {
    if (/^<.*>$/.test(path)) return { address: '', external, rest }
    throw new AddressSyntaxError(`Cannot parse path "${path}": no address`)
  }
  if (!isWellFormed(external)) {
    throw new AddressSyntaxError(`Cannot parse path "${path}": malformed address`)
  }
  return { address: unquoteAddress(external), external, rest }
}

/** The first blank outside quotes, brackets and comments. */
function endOfPath(text: string): number {
  let isQuoted = false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === '\\') at++
    else if (char === '"') isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (char === '<' || char === '(') depth++
    else if (char === '>' || char === ')') depth--
    else if (blank.test(char) && depth <= 0) return at
  }
  return text.length
}

/** `<@a.example,@b.example:user@c.example>` is user@c.example (RFC 5321 appendix C). */
function dropRoute(external: string): string {
  if (!external.startsWith('@')) return external
  const colon = external.indexOf(':')
  return colon < 0 ? external : external.slice(colon + 1)
}

const plain = /^[^\x00-\x20\x7f()<>,;:\\"[\]@]+(?:@[^\x00-\x20\x7f()<>,;:\\"[\]@]+)?$/

function bareAddress(path: string): string {
  if (path.startsWith('<') && path.endsWith('>')) return path.slice(1, -1).trim()
  if (plain.test(path)) return path
  const addresses = listAddresses(path)
  if (addresses.length > 1) {
    throw new AddressSyntaxError(`Cannot parse path "${path}": more than one address`)
  }
  return addresses[0] ?? ''
}

const localPart = /^(?:"(?:[^"\\\r\n]|\\[^\r\n])*"|[^\x00-\x20\x7f()<>,;:\\"[\]])+$/

function isWellFormed(external: string): boolean {
  if (plain.test(external)) return true
  const at = lastUnquotedAt(external)
  const domain = at < 0 ? undefined : external.slice(at + 1)
  if (!localPart.test(at < 0 ? external : external.slice(0, at))) return false
  if (domain === undefined) return true
  return domain.startsWith('[') ? isBracketed(domain) : !/[\x00-\x20\x7f()<>,;:\\"[\]]/.test(domain)
}

/** An address literal, or `[anything]`, whose meaning resolution decides (`[host.example]` is a host without MX lookup). */
function isBracketed(domain: string): boolean {
  return isValidAddressLiteral(domain) || /^\[[^\x00-\x20\x7f[\]\\]+\]$/.test(domain)
}

function lastUnquotedAt(text: string): number {
  let isQuoted = false
  let found = -1
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === '\\') at++
    else if (char === '"') isQuoted = !isQuoted
    else if (char === '@' && !isQuoted) found = at
  }
  return found
}
