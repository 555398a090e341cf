/**
 * printable - makes text from a peer fit for a log line or a reply
 *
 * Control characters become the replacement, so no peer can forge a line or drive a terminal. Octets above
 * 127 stay where they form valid UTF-8 (RFC 3629) and are replaced where they do not.
 * Source: Postfix 3.7, text of log lines.
 */

const PLAIN = /^[\x20-\x7e]*$/
const UNPRINTABLE_OR_SEQUENCE =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[^\x20-\x7e]/g

/** `octets` (latin1) with everything unprintable replaced, octet by octet. Plain text costs one test. */
export function printable(octets: string, replacement = '?'): string {
  if (PLAIN.test(octets)) return octets
  return octets.replace(UNPRINTABLE_OR_SEQUENCE, (found) =>
    found.length > 1 ? found : replacement,
  )
}
