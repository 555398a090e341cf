/**
 * quote-address - between the internal and the external form of an address
 *
 * Internal form is what envelopes and queue files hold: the local part as it is meant, without quotes or backslashes.
 * External form is what headers, logs and SMTP commands show: the local part quoted where the grammar asks for it.
 * The local part is everything before the last `@`; octets above 127 never cause quoting.
 *
 * Sources: RFC 5321 4.1.2, RFC 5322 3.2.4 and 3.4.1, Postfix 3.7 (bounce logs, log lines).
 */
const needsQuotes = /^$|^\.|\.$|\.\.|[\x00-\x20\x7f()<>@,;:\\"[\]]/
const inQuotes = /["\\\r]/g

/** A local part in external form: unchanged when it is a dot-string, otherwise a quoted string. */
export function quoteLocalPart(local: string): string {
  return needsQuotes.test(local) ? `"${local.replace(inQuotes, '\\$&')}"` : local
}

/** External form of an address in internal form. The empty address (the null sender) stays empty. */
export function quoteAddress(internal: string): string {
  if (internal === '') return ''
  const at = internal.lastIndexOf('@')
  return at < 0
    ? quoteLocalPart(internal)
    : quoteLocalPart(internal.slice(0, at)) + internal.slice(at)
}

/**
 * Internal form of an address in external form: quotes and backslashes of the local part removed, the domain as it is.
 * An unterminated quoted string ends with the text.
 */
export function unquoteAddress(external: string): string {
  if (!external.includes('"') && !external.includes('\\')) return external
  let local = ''
  let isQuoted = false
  for (let at = 0; at < external.length; at++) {
    const char = external.charAt(at)
    if (char === '"') isQuoted = !isQuoted
    else if (char === '\\') local += external.charAt(++at)
    else if (char === '@' && !isQuoted && !external.includes('@', at + 1)) {
      return local + external.slice(at)
    } else local += char
  }
  return local
}
