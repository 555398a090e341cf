/**
 * certificate-names - who a certificate is about, who issued it, and whether it is for a host
 *
 * Names are compared as in RFC 6125: the left-most label may be `*` alone, which stands for one label; the common name counts
 * when there is no DNS name. A reference `.example.com` wants a sub-domain of that domain, at any depth; one that is an address
 * wants that address among the alternative names.
 * Source: X509_check_host(3); Postfix 3.7 postconf(5) smtp_tls_verify_cert_match, as smtp(8) behaves.
 */
import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

const RULES = {
  subject: 'default',
  wildcards: true,
  partialWildcards: false,
  multiLabelWildcards: false,
  singleLabelSubdomains: false,
} as const

/** The first of `references` that the certificate is for. */
export function findMatch(
  certificate: X509Certificate,
  references: readonly string[],
): string | undefined {
  return references.find((name) => {
    if (name === '') return false
    const found = isIP(name) === 0 ? certificate.checkHost(name, RULES) : certificate.checkIP(name)
    return found !== undefined
  })
}

/** What OpenSSL says when there is no match. */
export function mismatchText(references: readonly string[]): string {
  const hasName = references.some((name) => name !== '' && isIP(name) === 0)
  return hasName || references.length === 0
    ? 'num=62:hostname mismatch'
    : 'num=64:IP address mismatch'
}

/** `/C=NL/O=Example/CN=mx.example.com`: from the lines of X509Certificate.subject and issuer. As X509_NAME_oneline(3). */
export function oneLine(name: string): string {
  return attributes(name)
    .map(([key, value]) => `/${key}=${value.replace(/[^\x20-\x7e]/g, hexadecimal)}`)
    .join('')
}

function hexadecimal(octet: string): string {
  return `\\x${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** The first, as octets; '' when there is none. */
export function commonName(name: string): string {
  return findAttribute(name, 'CN')
}

export function organization(name: string): string {
  return findAttribute(name, 'O')
}

function findAttribute(name: string, key: string): string {
  return attributes(name).find(([found]) => found === key)?.[1] ?? ''
}

/** The first DNS name among the alternative ones; '' when there is none. */
export function alternativeName({ subjectAltName }: X509Certificate): string {
  return /(?:^|, )DNS:([^",]+)/.exec(subjectAltName ?? '')?.[1] ?? ''
}

/** Values as octets. Node.js escapes as in RFC 2253, so a line break is never part of a value. */
function attributes(name: string | undefined): [string, string][] {
  const found: [string, string][] = []
  for (const line of (name ?? '').split('\n')) {
    const equals = line.indexOf('=')
    if (equals <= 0) continue
    const value = Buffer.from(unescaped(line.slice(equals + 1)), 'utf8').toString('latin1')
    found.push([line.slice(0, equals).trimStart(), value])
  }
  return found
}

function unescaped(value: string): string {
  return value.replace(
    /\\([0-9A-Fa-f]{2})|\\(.)/g,
    (_, hex: string | undefined, char: string | undefined) =>
      hex === undefined ? (char ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
