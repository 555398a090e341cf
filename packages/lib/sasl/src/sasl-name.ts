/**
 * sasl-name - names and passwords in the form that mechanisms compare
 *
 * prepare() is SASLprep (RFC 4013) without its check of the writing direction. What cannot be prepared, control characters
 * or octets that are not UTF-8, is used as it is: servers that prepare nothing know it so.
 */

/** RFC 3454 C.1.2: becomes a blank. */
const space = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu
/** RFC 3454 B.1: not there. */
const nothing = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu
/** RFC 3454 C.2 to C.9 */
const prohibited =
  /[\p{Cc}\p{Cf}\p{Co}\p{Noncharacter_Code_Point}\u0340\u0341\u2028\u2029\u2ff0-\u2ffb\ufffc\ufffd]/u

/** Octets to octets. */
export function prepare(octets: string): string {
  if (/^[ -~]*$/.test(octets)) return octets
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(octets, 'latin1'))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return octets
  }
  const prepared = text.replace(space, ' ').replace(nothing, '').normalize('NFKC')
  if (prepared === '' || prohibited.test(prepared)) return octets
  return Buffer.from(prepared, 'utf8').toString('latin1')
}

/** RFC 5802 5.1, RFC 7628 3.1: a comma ends a field. */
export function saslName(octets: string): string {
  return octets.replaceAll('=', '=3D').replaceAll(',', '=2C')
}
