/**
 * trust-anchor-file - smtp_tls_trust_anchor_file and tafile=: certificates and public keys that are trusted as issuers
 *
 * They become TLSA records: `2 0 0` for a certificate, `2 1 0` for a key.
 * Source: Postfix 3.7 postconf(5) smtp_tls_trust_anchor_file.
 */
import { readFile } from 'node:fs/promises'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import type { DaneAnchors, TlsaRecord } from '@posthorn/wire/tlsproxy-protocol'
import { USAGE } from './dane.ts'
import { recordText } from './fingerprint.ts'
import { splitPem, type PemBlock } from './pem.ts'

/**
 * `isShown`: the log feature `dane`.
 * @returns undefined: a file cannot be read, which has been logged, or has neither certificates nor keys
 */
export async function readTrustAnchors(
  paths: readonly string[],
  isShown = false,
): Promise<DaneAnchors | undefined> {
  const records: TlsaRecord[] = []
  for (const path of paths) {
    let text: string
    try {
      text = await readFile(path, 'latin1')
    } catch (error) {
      log.warning(`error opening trust anchor file: ${path}: ${errorReason(error)}`)
      return undefined
    }
    const found = splitPem(text).flatMap((block) => blockRecords(path, block, isShown))
    if (found.length === 0) return undefined
    records.push(...found)
  }
  return { domain: '', records }
}

/** A server may also be the anchor itself. What cannot be decoded turns out unusable at the handshake. */
function blockRecords(path: string, { label, der }: PemBlock, isShown: boolean): TlsaRecord[] {
  const isCertificate = label.endsWith('CERTIFICATE')
  if (!isCertificate && label !== 'PUBLIC KEY') return []
  const selector = isCertificate ? 0 : 1
  const data = der.toString('latin1')
  const record = { usage: USAGE.trustAnchor, selector, matchingType: 0, data }
  if (isShown) {
    const what = isCertificate ? 'cert' : 'pkey'
    log.info(`TA ${what} as TLSA record: ${path}: ${recordText(record)}`)
  }
  return [{ ...record, usage: USAGE.endEntity }, record]
}
