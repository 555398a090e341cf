/**
 * fingerprint - digests of a certificate and of its public key
 *
 * A fingerprint that is to be matched becomes two TLSA records of private use: `3 0 255 DIGEST` and `3 1 255 DIGEST`.
 * Source: Postfix 3.7 postconf(5) smtp_tls_fingerprint_digest, smtp_tls_fingerprint_cert_match.
 */
import { createHash, getHashes, type X509Certificate } from 'node:crypto'
import { log } from '@posthorn/log/log'
import type { DaneAnchors, TlsaRecord } from '@posthorn/wire/tlsproxy-protocol'

/** Matching type: a digest with the algorithm of smtp_tls_fingerprint_digest. RFC 7218 2.3: PrivMatch. */
export const FINGERPRINT = 255

/** Whether the library has this algorithm. */
export function isDigest(algorithm: string): boolean {
  return getHashes().some((name) => name.toLowerCase() === algorithm.toLowerCase())
}

/** SubjectPublicKeyInfo; undefined: of a kind that the library does not know. */
export function publicKeyOf(certificate: X509Certificate): Buffer | undefined {
  try {
    return certificate.publicKey.export({ type: 'spki', format: 'der' })
  } catch {
    return undefined
  }
}

/** `96:5A:D4:...`, as Postfix logs it; '' of nothing. */
export function fingerprint(octets: Buffer | undefined, algorithm: string): string {
  if (octets === undefined) return ''
  const hex = createHash(algorithm).update(octets).digest('hex').toUpperCase()
  return hex.replace(/..(?=.)/g, '$&:')
}

/**
 * What the engine wants at level fingerprint, from `96:5a:...`. A text that is none is left out with a warning. `isShown`: the
 * log feature `dane`.
 */
export function fingerprintAnchors(fingerprints: readonly string[], isShown = false): DaneAnchors {
  const records: TlsaRecord[] = []
  for (const text of fingerprints) {
    const hex = text.replaceAll(':', '')
    if (!/^([0-9A-Fa-f]{2})+$/.test(hex)) {
      log.warning(`malformed fingerprint value: ${text}`)
      continue
    }
    const data = Buffer.from(hex, 'hex').toString('latin1')
    const record = { usage: 3, selector: 0, matchingType: FINGERPRINT, data }
    if (isShown) {
      log.info(`fingerprint: digest as private-use TLSA record: ${recordText(record)}`)
    }
    records.push({ ...record, selector: 1 }, record)
  }
  return { domain: '', records }
}

/** So many digits of the beginning and of the end of long data. */
const SHOWN_DIGITS = 64

/** `3 1 1 6EDB...`, as in the log. */
export function recordText({ usage, selector, matchingType, data }: TlsaRecord): string {
  const hex = Buffer.from(data, 'latin1').toString('hex').toUpperCase()
  const shown =
    hex.length > 2 * SHOWN_DIGITS
      ? `${hex.slice(0, SHOWN_DIGITS)}...${hex.slice(-SHOWN_DIGITS)}`
      : hex
  return `${usage} ${selector} ${matchingType} ${shown}`
}
