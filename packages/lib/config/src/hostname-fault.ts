/**
 * hostname-fault - why a text is no host name, in the words of Postfix's warnings
 *
 * Sources: RFC 1123 2.1; Postfix 3.7 accepts `_`, and refuses names of digits and dots only.
 */
const MAX_LABEL = 63
const MAX_NAME = 255

/** undefined for a valid host name; else what Postfix logs after `valid_hostname: `. */
export function hostnameFault(name: string): string | undefined {
  if (name === '') return 'empty hostname'
  let labelLength = 0
  let isNumeric = true
  for (let at = 0; at < name.length; at++) {
    const char = name.charAt(at)
    if (/[A-Za-z0-9_]/.test(char)) {
      if (++labelLength > MAX_LABEL) return `hostname label too long: ${name}`
      if (!/[0-9]/.test(char)) isNumeric = false
    } else if (char === '.') {
      if (labelLength === 0 || at === name.length - 1) return `misplaced delimiter: ${name}`
      labelLength = 0
    } else if (char === '-') {
      isNumeric = false
      if (++labelLength > MAX_LABEL) return `hostname label too long: ${name}`
      const next = name[at + 1]
      if (labelLength === 1 || next === undefined || next === '.')
        return `misplaced hyphen: ${name}`
    } else {
      return `invalid character ${char.charCodeAt(0)}(decimal): ${name}`
    }
  }
  if (isNumeric) return `numeric hostname: ${name}`
  return name.length > MAX_NAME
    ? `bad length ${name.length} for ${name.slice(0, 100)}...`
    : undefined
}
