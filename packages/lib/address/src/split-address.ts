/**
 * split-address - local part, domain and address extension of an address in internal form
 *
 * Sources: RFC 5321 4.1.2 (the last `@` separates), Postfix 3.7 recipient_delimiter, owner_request_special.
 */
export interface SplitAddress {
  readonly local: string
  /** As written; undefined without `@`, empty for `user@`. */
  readonly domain: string | undefined
}

/** Splits at the last `@`: everything before it is the local part. */
export function splitAddress(address: string): SplitAddress {
  const at = address.lastIndexOf('@')
  if (at < 0) return { local: address, domain: undefined }
  return { local: address.slice(0, at), domain: address.slice(at + 1) }
}

export interface ExtensionRules {
  /** `recipient_delimiter`: a set of characters, the first that occurs separates; empty = no extensions. */
  readonly delimiters: string
  /** `owner_request_special`: `owner-list` and `list-request` are names of their own when `-` is a delimiter. */
  readonly isOwnerRequestSpecial: boolean
  /** `double_bounce_sender`: never split. */
  readonly doubleBounce?: string
}

export interface SplitExtension {
  readonly user: string
  readonly delimiter: string
  /** May be empty: `user+`. */
  readonly extension: string
}

/** Splits `user+extension`; undefined when the local part has no extension or is one that is never split. */
export function splitExtension(local: string, rules: ExtensionRules): SplitExtension | undefined {
  const { delimiters } = rules
  if (delimiters === '') return undefined
  const at = findDelimiter(local, delimiters)
  if (at <= 0) return undefined // the user part is never empty
  const folded = foldCase(local)
  if (folded === 'postmaster' || folded === 'mailer-daemon') return undefined
  if (rules.doubleBounce !== undefined && folded === foldCase(rules.doubleBounce)) return undefined
  if (rules.isOwnerRequestSpecial && delimiters.includes('-')) {
    if (folded.startsWith('owner-') && folded.length > 'owner-'.length) return undefined
    if (folded.endsWith('-request') && folded.length > '-request'.length) return undefined
  }
  return { user: local.slice(0, at), delimiter: local.charAt(at), extension: local.slice(at + 1) }
}

function findDelimiter(local: string, delimiters: string): number {
  if (delimiters.length === 1) return local.indexOf(delimiters)
  for (let at = 0; at < local.length; at++) if (delimiters.includes(local.charAt(at))) return at
  return -1
}

const upperCase = /[A-Z]/

/**
 * Lower case for comparison of octets: ASCII letters only, so that UTF-8 stays whole (`toLowerCase` on a latin1 string
 * would change octets 192 to 222).
 */
export function foldCase(octets: string): string {
  if (!upperCase.test(octets)) return octets
  return octets.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/**
 * Lower case for table keys: full Unicode folding where the octets are valid UTF-8 beyond ASCII (`smtputf8_enable`), else
 * ASCII only.
 */
export function foldCaseUtf8(octets: string): string {
  if (isAscii(octets)) return foldCase(octets)
  const bytes = Buffer.from(octets, 'latin1')
  const text = bytes.toString('utf8')
  if (text.includes('\ufffd')) return foldCase(octets)
  return Buffer.from(text.toLowerCase(), 'utf8').toString('latin1')
}

/** The address with its domain in lower case; local parts are case-sensitive (RFC 5321 2.4). */
export function foldDomain(address: string): string {
  const at = address.lastIndexOf('@')
  return at < 0 ? address : address.slice(0, at) + foldCaseUtf8(address.slice(at))
}

const beyondAscii = /[\x80-\xff]/

export function isAscii(octets: string): boolean {
  return !beyondAscii.test(octets)
}
