/**
 * xtext - the encoding of ENVID= and ORCPT= (RFC 3461 4)
 */

const XTEXT = /^(?:[!-*,-<>-~\x80-\xff]|\+[0-9A-F]{2})*$/

/** The octets; undefined when `text` is no xtext. */
export function decodeXtext(text: string): string | undefined {
  if (!XTEXT.test(text)) return undefined
  return text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** Printable and not empty: fit for an envelope record. */
export function isPrintableText(text: string): boolean {
  return text !== '' && !/[\x00-\x1f\x7f]/.test(text)
}
