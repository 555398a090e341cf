/**
 * server-judgement - what to think of a client's certificate, and the lines about it in the log
 *
 * A client without one, or with one that nobody knows, is served all the same; what it may do is for the caller to decide.
 * Source: Postfix 3.7 smtpd(8), tlsproxy(8), as they log.
 */
import type { X509Certificate } from 'node:crypto'
import { log } from '@posthorn/log/log'
import { PEER_STATUS } from '@posthorn/wire/tlsproxy-protocol'
import { oneLine } from './certificate-names.ts'
import { logDepths, peerNames, type PeerNames } from './judgement.ts'
import type { TlsLogFeatures } from './tls-log-level.ts'
import { verifyPkix } from './verification.ts'

export interface ClientQuestion {
  readonly peer: string
  /** The client's own first; empty: it sent none. */
  readonly chain: readonly X509Certificate[]
  /** As OpenSSL has it; undefined: it found nothing wrong. A session remembers it. */
  readonly error: string | undefined
  /** A session that goes on has no chain but the first certificate; it was judged when it began. */
  readonly isReused: boolean
  readonly verifyDepth: number
  readonly features: TlsLogFeatures
  /** Of fingerprints. */
  readonly digest: string
  /** A certificate that is not trusted is worth a line. */
  readonly requiresCertificate: boolean
}

export interface ClientJudgement extends PeerNames {
  /** PEER_STATUS bits: certificate, trusted. */
  readonly peerStatus: number
  /** What OpenSSL will say of the session is what was found. It knows nothing of our limit for the chain. */
  readonly isResumable: boolean
}

const ANONYMOUS: ClientJudgement = {
  peerStatus: 0,
  isResumable: true,
  peerName: '',
  issuerName: '',
  fingerprint: '',
  keyFingerprint: '',
}

const REUSED_UNTRUSTED =
  're-using session with untrusted certificate, look for details earlier in the log'

export function judgeClient(question: ClientQuestion): ClientJudgement {
  const { peer, chain, error, isReused, verifyDepth, features, digest } = question
  const leaf = chain[0]
  if (leaf === undefined) return ANONYMOUS
  const nowMs = Date.now()
  const asked = { chain, error, names: undefined, verifyDepth, peer, nowMs }
  const verdict = verifyPkix({ ...asked, role: 'client' })
  const names = peerNames(leaf, digest)
  if (features.has('verbose')) {
    if (!isReused) logDepths(peer, verdict)
    log.info(`subject=${oneLine(leaf.subject)}`)
    log.info(`issuer=${oneLine(leaf.issuer)}`)
  }
  if (features.has('peercert')) {
    log.info(
      `${peer}: subject_CN=${names.peerName}, issuer=${names.issuerName}, ` +
        `fingerprint=${names.fingerprint}, pkey_fingerprint=${names.keyFingerprint}`,
    )
  }
  if (
    verdict.failure !== undefined &&
    (question.requiresCertificate || features.has('untrusted'))
  ) {
    log.info(isReused ? `${peer}: ${REUSED_UNTRUSTED}` : verdict.failure)
  }
  const trusted = verdict.isTrusted ? PEER_STATUS.trusted : 0
  return {
    ...names,
    peerStatus: PEER_STATUS.certificate | trusted,
    isResumable: verdict.isTrusted || error !== undefined,
  }
}
