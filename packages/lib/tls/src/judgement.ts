/**
 * judgement - what a handshake came to: facts about the server, and the lines about them in the log
 *
 * Source: Postfix 3.7 smtp(8), as it logs.
 */
import type { X509Certificate } from 'node:crypto'
import { log } from '@posthorn/log/log'
import { PEER_STATUS, TLS_LEVELS, type TlsClientStart } from '@posthorn/wire/tlsproxy-protocol'
import type { TlsFinding } from '@posthorn/wire/tls-finding'
import {
  alternativeName,
  commonName,
  findMatch,
  oneLine,
  organization,
} from './certificate-names.ts'
import { signatureOf, NO_SIGNATURE } from './connection-details.ts'
import type { DigestTable } from './dane-digests.ts'
import { fingerprint, publicKeyOf } from './fingerprint.ts'
import type { Pinning } from './pinning.ts'
import type { PeerFacts } from './session-cache.ts'
import type { TlsLogFeatures } from './tls-log-level.ts'
import { verifyPinned, verifyPkix, type Verdict } from './verification.ts'

export interface JudgeSettings {
  readonly start: TlsClientStart
  readonly pinning: Pinning
  readonly digests: DigestTable
  readonly verifyDepth: number
  readonly features: TlsLogFeatures
  /** Of fingerprints, for the log and for who asked tlsproxy(8); undefined: nobody wants them. */
  readonly digest: string | undefined
}

/** A resumed session has its facts; a full handshake has a chain, and what OpenSSL says about it. */
export type Evidence =
  | { readonly facts: PeerFacts }
  | { readonly chain: readonly X509Certificate[]; readonly error: string | undefined }

export interface Judgement {
  readonly level: number
  /** PEER_STATUS bits. */
  readonly peerStatus: number
  readonly facts: PeerFacts & { readonly signature: { readonly digest?: string } }
}

export function judge(settings: JudgeSettings, evidence: Evidence): Judgement {
  const { level } = settings.pinning
  const facts = 'facts' in evidence ? evidence.facts : examine(settings, evidence)
  if ('facts' in evidence && !facts.isMatched && settings.features.has('untrusted')) {
    log.info(
      `${settings.start.peer}: re-using session with untrusted certificate, look for details earlier in the log`,
    )
  }
  if (facts.isPresent && settings.features.has('certmatch')) {
    log.info(
      `${settings.start.peer}: subject_CN=${facts.peerName}, issuer_CN=${facts.issuerName}, ` +
        `fingerprint=${facts.fingerprint}, pkey_fingerprint=${facts.keyFingerprint}`,
    )
  }
  const isSecured = facts.isMatched && level !== TLS_LEVELS.halfDane
  const peerStatus =
    (facts.isPresent ? PEER_STATUS.certificate : 0) |
    (facts.isTrusted ? PEER_STATUS.trusted : 0) |
    (facts.isMatched ? PEER_STATUS.matched : 0) |
    (isSecured ? PEER_STATUS.secured : 0)
  return { level, peerStatus, facts }
}

interface ChainEvidence {
  readonly chain: readonly X509Certificate[]
  readonly error: string | undefined
}

function examine(settings: JudgeSettings, { chain, error }: ChainEvidence): Judgement['facts'] {
  const { start, features, digest } = settings
  const leaf = chain[0]
  if (leaf === undefined) return ANONYMOUS
  const verdict = verify(settings, { chain, error })
  if (features.has('verbose')) logDepths(start.peer, verdict)
  if (features.has('certmatch')) {
    for (const match of verdict.matches) log.info(`${start.peer}: ${match}`)
  }
  if (
    verdict.failure !== undefined &&
    (start.level > TLS_LEVELS.encrypt || features.has('untrusted'))
  ) {
    log.info(verdict.failure)
  }
  const finding = verdict.finding ?? nameFinding(leaf, start)
  return {
    ...(finding !== undefined && { finding }),
    isPresent: true,
    isTrusted: verdict.isTrusted,
    isMatched: verdict.isMatched,
    ...peerNames(leaf, digest),
    signature: signatureOf(leaf),
  }
}

export type PeerNames = Pick<
  PeerFacts,
  'peerName' | 'issuerName' | 'fingerprint' | 'keyFingerprint'
>

/** `digest`: of fingerprints; undefined: nobody wants them. */
export function peerNames(leaf: X509Certificate, digest: string | undefined): PeerNames {
  return {
    peerName: commonName(leaf.subject) || alternativeName(leaf),
    issuerName: commonName(leaf.issuer) || organization(leaf.issuer),
    fingerprint: digest === undefined ? '' : fingerprint(leaf.raw, digest),
    keyFingerprint: digest === undefined ? '' : fingerprint(publicKeyOf(leaf), digest),
  }
}

/** Names at a level that asks for none are there for the sake of reports. */
function nameFinding(leaf: X509Certificate, start: TlsClientStart): TlsFinding | undefined {
  if (start.level > TLS_LEVELS.encrypt || start.matches.length === 0) return undefined
  return findMatch(leaf, start.matches) === undefined ? 'host-mismatch' : undefined
}

const ANONYMOUS: Judgement['facts'] = {
  finding: 'no-certificate',
  isPresent: false,
  isTrusted: false,
  isMatched: false,
  peerName: '',
  issuerName: '',
  fingerprint: '',
  keyFingerprint: '',
  signature: NO_SIGNATURE,
}

function verify(settings: JudgeSettings, { chain, error }: ChainEvidence): Verdict {
  const { start, pinning, verifyDepth } = settings
  const nowMs = Date.now()
  const { peer } = start
  const { anchors, fingerprintDigest } = pinning
  if (anchors !== undefined) {
    if (anchors.length === 0) {
      const failure = `server certificate verification failed for ${peer}: num=1:unspecified certificate verification error`
      return {
        isTrusted: false,
        isMatched: false,
        failure,
        finding: 'no-matching-record',
        matches: [],
        walked: [],
      }
    }
    const { digests } = settings
    const names = start.matches
    const areAuthorities = start.level >= TLS_LEVELS.verify
    return verifyPinned({
      chain,
      anchors,
      digests,
      fingerprintDigest,
      names,
      nowMs,
      peer,
      verifyDepth,
      areAuthorities,
    })
  }
  const names = pinning.level > TLS_LEVELS.encrypt ? start.matches : undefined
  return verifyPkix({ chain, error, names, verifyDepth, peer, nowMs })
}

/** As OpenSSL walks a chain: from the top, where its fault is, if it has one. */
export function logDepths(peer: string, { walked, isTrusted }: Verdict): void {
  const line = (depth: number, isGood: boolean): void => {
    const name = oneLine(walked[depth] ?? '')
    log.info(`${peer}: depth=${depth} verify=${isGood ? 1 : 0} subject=${name}`)
  }
  const top = walked.length - 1
  if (!isTrusted) line(top, false)
  for (let depth = isTrusted ? top : Math.max(top - 1, 0); depth >= 0; depth--) line(depth, true)
}
