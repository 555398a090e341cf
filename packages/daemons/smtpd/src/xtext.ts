/**
 * xtext - the encodings of ENVID=, ORCPT= (RFC 3461 4; RFC 6533 3), and of the values of XCLIENT and XFORWARD
 *
 * Postfix is liberal in what may stand unencoded; a `+` must be followed by two hexadecimal digits of either case.
 */

/** The octets; undefined when a `+` begins nothing. */
export function decodeXtext(text: string): string | undefined {
  if (!text.includes('+')) return text
  if (/\+(?![0-9A-Fa-f]{2})/.test(text)) return undefined
  return text.replace(/\+([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** Text with `\x{20AC}` for characters, as octets of UTF-8; undefined when a `\x{` begins no character. */
export function decodeUnitext(text: string): string | undefined {
  if (/\\(?!x\{(?:10|0?[0-9A-Fa-f])?[0-9A-Fa-f]{1,4}\})/.test(text)) return undefined
  return text.replace(/\\x\{([0-9A-Fa-f]+)\}/g, (_, hex: string) =>
    Buffer.from(String.fromCodePoint(Number.parseInt(hex, 16))).toString('latin1'),
  )
}
