/**
 * dane - whether a certificate is what TLSA records say
 *
 * DANE-EE (usage 3) pins the server's certificate or key: neither names nor dates count (RFC 7671 5.1). DANE-TA (usage 2) pins
 * an issuer: the chain as sent must lead to it, and names, dates and purpose count. A digest of an issuer needs the
 * certificate to be sent; a whole certificate or key does not. Fingerprints and trust anchors of the configuration are such
 * records, too. For each usage and selector only the best digest counts (RFC 7671 9).
 *
 * Trusts nothing that the peer sent: a chain is bounded by OpenSSL (100 KB, max_cert_list), and its loops end here.
 */
import {
  createHash,
  createPublicKey,
  timingSafeEqual,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import type { TlsFinding } from '@posthorn/wire/tls-finding'
import type { TlsaRecord } from '@posthorn/wire/tlsproxy-protocol'
import { findMatch, mismatchText } from './certificate-names.ts'
import type { DigestTable } from './dane-digests.ts'
import { FINGERPRINT, publicKeyOf } from './fingerprint.ts'
import { findLimitFault } from './issuer-limits.ts'

export const USAGE = { trustAnchor: 2, endEntity: 3 } as const
const FULL = 0
/** id-kp-serverAuth, RFC 5280 4.2.1.12 */
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1'

/** A record that is worth comparing, its data decoded. */
export interface Anchor {
  readonly record: TlsaRecord
  readonly data: Buffer
  /** Of full data. */
  readonly certificate: X509Certificate | undefined
  readonly publicKey: KeyObject | undefined
}

export type DaneVerdict =
  | {
      readonly kind: 'matched'
      readonly anchor: Anchor
      /** The certificate at `depth` is not the anchor, but signed with its key. */
      readonly isBareKey: boolean
      readonly depth: number
      /** What it took: a pinned certificate alone, or all below an anchor that was sent. */
      readonly walked: readonly X509Certificate[]
      readonly name: string | undefined
    }
  | {
      readonly kind: 'failed'
      readonly depth: number
      readonly text: string
      readonly finding: TlsFinding
    }
  | { readonly kind: 'wrong-purpose' }

/** @returns undefined: unusable, for its usage, selector, digest, or data that cannot be decoded */
export function parseAnchor(
  record: TlsaRecord,
  digests: DigestTable,
  fingerprintDigest: string,
): Anchor | undefined {
  const { usage, selector, matchingType } = record
  const data = Buffer.from(record.data, 'latin1')
  if (usage !== USAGE.trustAnchor && usage !== USAGE.endEntity) return undefined
  if (selector !== 0 && selector !== 1) return undefined
  const plain = { record, data, certificate: undefined, publicKey: undefined }
  if (matchingType !== FULL) {
    const algorithm =
      matchingType === FINGERPRINT ? fingerprintDigest : digests.get(matchingType)?.algorithm
    return algorithm !== undefined && data.length === digestLength(algorithm) ? plain : undefined
  }
  try {
    if (selector === 0) return { ...plain, certificate: new X509Certificate(data) }
    return { ...plain, publicKey: createPublicKey({ key: data, format: 'der', type: 'spki' }) }
  } catch {
    return undefined // not DER, or an algorithm that the library does not have
  }
}

function digestLength(algorithm: string): number {
  return createHash(algorithm).digest().length
}

/** RFC 7671 9: for each usage and selector the best digest alone; full data always. */
export function bestAnchors(anchors: readonly Anchor[], digests: DigestTable): Anchor[] {
  const rank = ({ record }: Anchor): number => digests.get(record.matchingType)?.rank ?? 0
  return anchors.filter(
    (anchor) =>
      anchor.record.matchingType === FULL ||
      !anchors.some(
        (other) =>
          other.record.usage === anchor.record.usage &&
          other.record.selector === anchor.record.selector &&
          other.record.matchingType !== FULL &&
          rank(other) < rank(anchor),
      ),
  )
}

export interface DaneQuestion {
  /** As sent, the server's own first. */
  readonly chain: readonly X509Certificate[]
  readonly anchors: readonly Anchor[]
  readonly digests: DigestTable
  readonly fingerprintDigest: string
  /** For issuers, one of them must match. */
  readonly names: readonly string[]
  /** The anchors are trusted as issuers by main.cf: a server that is one of them needs its name, too. */
  readonly areAuthorities: boolean
  readonly nowMs: number
}

export function verifyDane(question: DaneQuestion): DaneVerdict {
  const { chain, anchors } = question
  const leaf = chain[0]
  if (leaf === undefined) return noMatch(0)
  const pin = anchors.find(
    (anchor) => anchor.record.usage === USAGE.endEntity && pins(anchor, leaf, question),
  )
  if (pin !== undefined) return verifyPin(pin, leaf, question)
  const issuers = anchors.filter((anchor) => anchor.record.usage === USAGE.trustAnchor)
  if (issuers.length === 0) return noMatch(0)
  const path = findPath(question, issuers)
  if (path === undefined) return noMatch(chain.length - 1)
  return verifyPath(path, question)
}

function verifyPin(anchor: Anchor, leaf: X509Certificate, question: DaneQuestion): DaneVerdict {
  const name = question.areAuthorities ? findMatch(leaf, question.names) : undefined
  if (question.areAuthorities && name === undefined) return wrongName(question)
  return { kind: 'matched', anchor, isBareKey: false, depth: 0, walked: [leaf], name }
}

function wrongName({ names }: DaneQuestion): DaneVerdict {
  return { kind: 'failed', depth: 0, text: mismatchText(names), finding: 'host-mismatch' }
}

function noMatch(depth: number): DaneVerdict {
  const text = 'num=65:no matching DANE TLSA records'
  return { kind: 'failed', depth, text, finding: 'no-matching-record' }
}

function pins(anchor: Anchor, certificate: X509Certificate, question: DaneQuestion): boolean {
  const { record, data } = anchor
  const part = record.selector === 0 ? certificate.raw : publicKeyOf(certificate)
  if (part === undefined) return false
  switch (record.matchingType) {
    case FULL:
      return isEqual(part, data)
    case FINGERPRINT:
      return isEqual(digest(question.fingerprintDigest, part), data)
    default: {
      const algorithm = question.digests.get(record.matchingType)?.algorithm
      return algorithm !== undefined && isEqual(digest(algorithm, part), data)
    }
  }
}

function digest(algorithm: string, octets: Buffer): Buffer {
  return createHash(algorithm).update(octets).digest()
}

function isEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

interface Path {
  readonly anchor: Anchor
  /** By the server. */
  readonly isSent: boolean
  /** From the server's own certificate up to the anchor, or to what a bare key has signed. */
  readonly certificates: readonly X509Certificate[]
}

/** From the leaf upwards, to the first certificate that is an anchor; else to the first that an anchor has signed. */
function findPath(question: DaneQuestion, issuers: readonly Anchor[]): Path | undefined {
  const chain = linked(question.chain)
  for (const [at, certificate] of chain.entries()) {
    if (at === 0) continue // the server's own certificate is nobody's issuer
    const anchor = issuers.find((issuer) => pins(issuer, certificate, question))
    if (anchor !== undefined) return { anchor, isSent: true, certificates: chain.slice(0, at + 1) }
  }
  for (const [at, certificate] of chain.entries()) {
    const certificates = chain.slice(0, at + 1)
    for (const anchor of issuers) {
      const issuer = anchor.certificate
      if (issuer !== undefined && isIssuedBy(certificate, issuer)) {
        return { anchor, isSent: false, certificates: [...certificates, issuer] }
      }
      const { publicKey } = anchor
      if (publicKey !== undefined && isSignedBy(certificate, () => publicKey)) {
        return { anchor, isSent: false, certificates }
      }
    }
  }
  return undefined
}

/** The beginning in which each was issued by the next; whether that may issue is for findLimitFault(). */
function linked(chain: readonly X509Certificate[]): readonly X509Certificate[] {
  const end = chain.findIndex((certificate, at) => {
    const next = chain[at + 1]
    return next === undefined || !isIssuedBy(certificate, next)
  })
  return chain.slice(0, end + 1)
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.issuer === issuer.subject && isSignedBy(certificate, () => issuer.publicKey)
}

/** A peer may send keys that the library cannot read, and signatures of a kind that the key does not make. */
function isSignedBy(certificate: X509Certificate, key: () => KeyObject): boolean {
  try {
    return certificate.verify(key())
  } catch {
    return false
  }
}

function verifyPath(path: Path, question: DaneQuestion): DaneVerdict {
  const { anchor, isSent, certificates } = path
  const leaf = certificates[0]
  if (leaf === undefined) return noMatch(0)
  if (!isForServers(leaf)) return { kind: 'wrong-purpose' }
  const name = findMatch(leaf, question.names)
  if (name === undefined) return wrongName(question)
  const limit = findLimitFault(certificates)
  if (limit !== undefined) return { kind: 'failed', ...limit, finding: 'chain' }
  const top = certificates.length - 1
  const isBareKey = anchor.publicKey !== undefined && !isSent
  for (const [depth, certificate] of [...certificates.entries()].reverse()) {
    // Postfix 3.7 postconf(5) smtp_tls_trust_anchor_file: an anchor itself does not expire
    const isAnchor = depth === top && !isBareKey
    const fault = isAnchor ? undefined : dateFault(certificate, question.nowMs)
    if (fault !== undefined) return { kind: 'failed', depth, ...fault }
  }
  const walked = isSent ? certificates.slice(0, -1) : certificates
  return { kind: 'matched', anchor, isBareKey, depth: top, walked, name }
}

/** RFC 5280 4.2.1.12: without the extension any purpose is allowed. */
export function isForServers(certificate: X509Certificate): boolean {
  // the types of Node.js say that it is always there
  const purposes = certificate.keyUsage as readonly string[] | undefined
  return purposes === undefined || purposes.includes(SERVER_AUTHENTICATION)
}

export interface DateFault {
  readonly text: string
  readonly finding: 'not-yet-valid' | 'expired'
}

export function dateFault(certificate: X509Certificate, nowMs: number): DateFault | undefined {
  // a time that cannot be read is never good
  if (!(nowMs >= Date.parse(certificate.validFrom))) {
    return { text: 'certificate not yet valid', finding: 'not-yet-valid' }
  }
  if (!(nowMs <= Date.parse(certificate.validTo))) {
    return { text: 'certificate has expired', finding: 'expired' }
  }
  return undefined
}
