/**
 * xtext - parameters of ESMTP commands that may hold anything (RFC 3461 4, RFC 6533 3)
 */

/** Control characters, blank, DEL, 8-bit octets, `+`, and those in `also` become `+XX`. */
export function encodeXtext(octets: string, also = ''): string {
  return octets.replace(/[^\x21-\x7e]|[+=]/g, (char) =>
    char === '=' && !also.includes('=')
      ? char
      : `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/**
 * utf-8-addr-xtext: specials and everything beyond ASCII become `\x{HEX}`, so that any server can pass it on.
 * Undefined: the octets are no UTF-8.
 */
export function encodeUtf8Xtext(octets: string): string | undefined {
  const text = Buffer.from(octets, 'latin1').toString('utf8')
  if (text.includes('\ufffd')) return undefined
  return text.replace(
    /[^\x21-\x7e]|[+=\\]/gu,
    (char) => `\\x{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, '0')}}`,
  )
}
