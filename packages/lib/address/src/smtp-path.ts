/**
 * smtp-path - the argument of MAIL FROM and RCPT TO
 *
 * `<user@example.com> SIZE=100`: a path, then parameters. The lenient form that Postfix accepts by default reads the path as
 * an address header (address-list.ts) that must name at most one address: without brackets, with comments, with words
 * before it. A source route is dropped (RFC 5321 3.3 asks to ignore it). The strict form (strict_rfc821_envelopes) wants
 * brackets, and nothing but the address inside.
 *
 * Octets above 127 pass here; whether they are allowed is SMTPUTF8's business.
 * Sources: RFC 5321 4.1.2, 4.1.1.2, 4.1.1.3; Postfix 3.7 smtpd(8).
 */
import { parseAddressList } from './address-list.ts'
import { unquoteAddress } from './quote-address.ts'

export class AddressSyntaxError extends SyntaxError {
  override readonly name = 'AddressSyntaxError'
  readonly code = 'POSTHORN_ADDRESS_SYNTAX'
  /** What is no address; undefined when its end was not found. */
  readonly path: string | undefined

  constructor(path: string | undefined, why: string) {
    super(`Cannot parse path "${path ?? ''}": ${why}`)
    this.path = path
  }
}

export interface SmtpPath {
  /** As the client wrote it. */
  readonly path: string
  /** Internal form: unquoted, without source route; empty for `<>`. */
  readonly address: string
  /** What follows the path, blanks trimmed: the ESMTP parameters. */
  readonly rest: string
}

const plainPath = /^<([^\x00-\x20\x7f()<>,;:\\"[\]@]+@[^\x00-\x20\x7f()<>,;:\\"[\]@]+)>$/

/**
 * @param text what stands behind `FROM:` or `TO:`
 * @throws {AddressSyntaxError} no path, a bad one, or (strict) anything but the grammar
 */
export function parseSmtpPath(text: string, options: { isStrict?: boolean } = {}): SmtpPath {
  const trimmed = text.replace(/^[ \t]+/, '')
  const end = endOfPath(trimmed)
  if (end === undefined) throw new AddressSyntaxError(undefined, 'it does not end')
  const path = trimmed.slice(0, end)
  return { path, address: parsePathAddress(path, options), rest: trimmed.slice(end).trim() }
}

/** The first blank outside quotes and brackets; undefined when they are not closed. */
function endOfPath(text: string): number | undefined {
  let isQuoted = false
  let depth = 0
  let at = 0
  for (; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === '\\') at++
    else if (char === '"') isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (char === '<') depth++
    else if (char === '>') depth--
    else if ((char === ' ' || char === '\t') && depth <= 0) break
  }
  return isQuoted || depth > 0 ? undefined : Math.min(at, text.length)
}

/**
 * The address of a whole path, in internal form; empty when it names none.
 *
 * @throws {AddressSyntaxError} it names several, or is not what `isStrict` wants
 */
export function parsePathAddress(path: string, options: { isStrict?: boolean } = {}): string {
  const plain = plainPath.exec(path)?.[1]
  if (plain !== undefined) return plain
  if (/[\x00-\x1f\x7f]/.test(path)) throw new AddressSyntaxError(path, 'control characters')
  const isBracketed = path.length > 1 && path.startsWith('<') && path.endsWith('>')
  if (options.isStrict === true && !isBracketed) {
    throw new AddressSyntaxError(path, 'want <user@domain>')
  }
  const nodes = parseAddressList(dropRoute(isBracketed ? path.slice(1, -1) : path))
  const addresses = nodes.flatMap(({ kind, text }) =>
    kind === 'address' && text !== '' ? text : [],
  )
  if (addresses.length > 1) throw new AddressSyntaxError(path, 'more than one address')
  const address = internalForm(addresses[0] ?? '')
  if (options.isStrict === true) {
    const isAlone = nodes.every(({ kind, text }) => kind === 'address' || '<>'.includes(text))
    if (!isAlone || address.startsWith('@'))
      throw new AddressSyntaxError(path, 'want an address alone')
  }
  return address
}

/** `@a.example,@b.example:user@c.example` is user@c.example (RFC 5321 appendix C). */
function dropRoute(text: string): string {
  if (!text.startsWith('@')) return text
  const colon = text.indexOf(':')
  return colon < 0 ? text : text.slice(colon + 1)
}

/** Quotes go from the domain, too; a literal that is not closed is. */
function internalForm(external: string): string {
  const closed = /\[[^\]]*$/.test(external) ? `${external}]` : external
  const address = unquoteAddress(closed)
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  return domain.includes('"') && !address.startsWith('"')
    ? `${address.slice(0, at + 1)}${domain.replaceAll('"', '')}`
    : address
}
