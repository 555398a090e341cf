/**
 * address-token - the words of an address header
 *
 * Splits a header value into atoms, quoted strings, domain literals, comments and special characters. Blanks separate and
 * are dropped; line breaks count as blanks. Nothing is refused: what is unterminated ends with the text, a literal with a `]`.
 *
 * Limits: at most `limit` tokens, the rest of the text is not looked at (header_address_token_limit).
 * Sources: RFC 5322 3.2.
 */
export type TokenKind = 'atom' | 'quoted' | 'literal' | 'comment' | 'special'

export interface AddressToken {
  readonly kind: TokenKind
  /** Without the quotes of a quoted string; backslashes that quote a character are gone. Comments and literals whole. */
  readonly text: string
  /** Where the token begins and ends in the source. */
  readonly start: number
  readonly end: number
}

/** The default of header_address_token_limit. */
export const DEFAULT_TOKEN_LIMIT = 10240

const blanks = /[ \t\r\n]+/y
const specials = '<>:;,.@)]'
const atom = /(?:[^ \t\r\n()<>@,;:\\".[\]]|\\[^])+|\\$/y

/** @param limit the most tokens that are returned */
export function tokenizeAddresses(source: string, limit: number): AddressToken[] {
  const tokens: AddressToken[] = []
  let at = 0
  const add = (kind: TokenKind, text: string, end: number): void => {
    tokens.push({ kind, text, start: at, end })
    at = end
  }
  for (;;) {
    blanks.lastIndex = at
    if (blanks.test(source)) at = blanks.lastIndex
    if (at >= source.length || tokens.length >= limit) return tokens
    const first = source.charAt(at)
    if (first === '"') {
      const close = findClose(source, at, '"')
      add('quoted', removeBackslashes(source.slice(at + 1, close)), close + 1)
    } else if (first === '(') {
      const end = endOfComment(source, at)
      add('comment', unfold(source.slice(at, end)), end)
    } else if (first === '[') {
      const close = findClose(source, at, ']')
      add('literal', `${unfold(source.slice(at, close))}]`, close + 1)
    } else if (specials.includes(first)) {
      add('special', first, at + 1)
    } else {
      atom.lastIndex = at
      atom.test(source)
      add('atom', removeBackslashes(source.slice(at, atom.lastIndex)), atom.lastIndex)
    }
  }
}

/** Where the mark that closes a quoted string or literal stands; behind the text when it is missing. */
function findClose(source: string, start: number, mark: string): number {
  for (let at = start + 1; at < source.length; at++) {
    const char = source.charAt(at)
    if (char === '\\') at++
    else if (char === mark) return at
  }
  return source.length
}

function endOfComment(source: string, start: number): number {
  let depth = 0
  for (let at = start; at < source.length; at++) {
    const char = source.charAt(at)
    if (char === '\\') at++
    else if (char === '(') depth++
    else if (char === ')' && --depth === 0) return at + 1
  }
  return source.length
}

/** Line breaks and tabs inside a token become blanks, as in the header that is written again. */
function unfold(text: string): string {
  return text.replace(/[\r\n\t]/g, ' ')
}

function removeBackslashes(text: string): string {
  return unfold(text).replace(/\\([^]?)/g, '$1')
}
