/**
 * escape-text - octets as C writes them in a string, for log lines that must show every octet
 */

const NAMED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/** `Subject: x\r\n`; other unprintable octets in octal. */
export function escapeText(octets: string): string {
  return octets.replace(
    /[\\\x00-\x1f\x7f-\xff]/g,
    (octet) => NAMED[octet] ?? `\\${octet.charCodeAt(0).toString(8).padStart(3, '0')}`,
  )
}
