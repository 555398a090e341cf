/**
 * pinning - what a connection's certificate is checked by: authorities of main.cf, or records
 *
 * Records that are of no use are dropped with a warning. When none is left, dane goes on without authentication, and the
 * other levels cannot be satisfied any more.
 * Source: Postfix 3.7 smtp(8), as it logs; RFC 7672 2.2 for opportunistic DANE.
 */
import { log } from '@posthorn/log/log'
import { TLS_LEVELS, type TlsClientStart } from '@posthorn/wire/tlsproxy-protocol'
import { bestAnchors, parseAnchor, type Anchor } from './dane.ts'
import type { DigestTable } from './dane-digests.ts'
import { recordText } from './fingerprint.ts'

export interface Pinning {
  /** That of the request, or encrypt when dane has nothing to go by. */
  readonly level: number
  /** Checked by OpenSSL against the authorities of main.cf. */
  readonly usesTrustStore: boolean
  /** Undefined: no records were given; empty: none is usable. */
  readonly anchors: readonly Anchor[] | undefined
  readonly fingerprintDigest: string
}

export function planPinning(
  start: TlsClientStart,
  digests: DigestTable,
  fingerprintDigest: string,
): Pinning {
  const { level, peer } = start
  const plain = { level, usesTrustStore: true, anchors: undefined, fingerprintDigest }
  if (level <= TLS_LEVELS.encrypt) return plain
  if (start.anchors === undefined) {
    // these go by records alone, never by the authorities of main.cf
    return level >= TLS_LEVELS.verify ? plain : { ...plain, usesTrustStore: false, anchors: [] }
  }
  const usable: Anchor[] = []
  for (const record of start.anchors.records) {
    const anchor = parseAnchor(record, digests, fingerprintDigest)
    if (anchor !== undefined) usable.push(anchor)
    else log.warning(`${peer}: unusable TLSA RR: ${recordText(record)}`)
  }
  if (usable.length > 0) {
    return { ...plain, usesTrustStore: false, anchors: bestAnchors(usable, digests) }
  }
  switch (level) {
    case TLS_LEVELS.dane:
    case TLS_LEVELS.halfDane:
      log.warning(`${peer}: all TLSA records unusable, fallback to unauthenticated TLS`)
      return { ...plain, level: TLS_LEVELS.encrypt }
    case TLS_LEVELS.daneOnly:
      log.warning(`${peer}: all TLSA records unusable`)
      break
    case TLS_LEVELS.fingerprint:
      log.warning(`${peer}: all fingerprints unusable`)
      break
    default:
      log.warning(`${peer}: all trust anchors unusable`)
  }
  return { ...plain, usesTrustStore: false, anchors: [] }
}
