/**
 * reply-text - puts reply code, enhanced code and text together
 *
 * The class (first digit) of the enhanced code follows the reply code. Text from a table may bring its own
 * enhanced code. Source: Postfix 3.7; RFC 3463.
 */

/** `554` and `5.7.1 text`: the text's own enhanced code, else `fallback`, adapted to the class of `code`. */
export function replyText(code: number, fallback: string, text: string): string {
  const [, own, rest] = /^([245]\.\d{1,3}\.\d{1,3})(?:\s+([^]*))?$/.exec(text) ?? []
  const enhanced = own ?? fallback
  const digit = String(code).charAt(0)
  return `${code} ${digit}${enhanced.slice(1)} ${own === undefined ? text : (rest ?? '')}`.trimEnd()
}
