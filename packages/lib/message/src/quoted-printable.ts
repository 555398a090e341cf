/**
 * quoted-printable - one line of text in the encoding that survives 7-bit transport
 *
 * Sources: RFC 2045 6.7.
 */
const MAX_LINE = 76
const unsafe = /[^\t\x20-\x3c\x3e-\x7e]/g

/** @returns the line in one or more lines of at most 76 characters, without line breaks */
export function encodeQuotedPrintable(line: string): string[] {
  let rest = line
    .replace(unsafe, escapeOctet)
    // Rule 3: a blank at the end of a line must not stand bare; rule 4 of SMTP: nor a dot or `From ` that others may change.
    .replace(/[ \t]$/, escapeOctet)
  if (rest.startsWith('.')) rest = `=2E${rest.slice(1)}`
  if (rest.startsWith('From ')) rest = `=46${rest.slice(1)}`
  const lines: string[] = []
  while (rest.length > MAX_LINE) {
    let length = MAX_LINE - 1 // room for the `=` of a soft line break
    if (rest.charAt(length - 1) === '=') length -= 1
    else if (rest.charAt(length - 2) === '=') length -= 2
    lines.push(`${rest.slice(0, length)}=`)
    rest = rest.slice(length)
  }
  lines.push(rest)
  return lines
}

function escapeOctet(octet: string): string {
  return `=${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
