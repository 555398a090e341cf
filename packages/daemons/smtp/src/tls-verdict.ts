/**
 * tls-verdict - whether a handshake has satisfied the policy, in the words of RFC 8460 4.3
 *
 * The level says what the delivery asks for, the policy what the destination asks for: in mode testing of MTA-STS a
 * certificate is judged that nobody needs. A tlsproxy(8) that does not tell what was wrong (Postfix's) is read as far as it
 * goes: trusted or not, matched or not.
 */
import { tlsFindingOf, type TlsFinding } from '@posthorn/wire/tls-finding'
import { PEER_STATUS, TLS_LEVELS, type TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import { isDaneLevel, needsMatch } from './tls-options.ts'
import type { TlsFault, TlsPolicy } from './tls-policy.ts'

const NOT_TRUSTED = 'certificate-not-trusted'
const FAULTS: Readonly<Record<TlsFinding, TlsFault>> = {
  other: { code: NOT_TRUSTED },
  'no-certificate': { code: 'validation-failure', reason: 'no certificate' },
  'host-mismatch': { code: 'certificate-host-mismatch' },
  expired: { code: 'certificate-expired' },
  'not-yet-valid': { code: NOT_TRUSTED, reason: 'certificate not yet valid' },
  'self-signed': { code: NOT_TRUSTED, reason: 'self-signed certificate' },
  'untrusted-issuer': { code: NOT_TRUSTED, reason: 'untrusted issuer' },
  'wrong-purpose': { code: NOT_TRUSTED, reason: 'no server certificate' },
  chain: { code: NOT_TRUSTED, reason: 'bad certificate chain' },
  'no-matching-record': { code: 'validation-failure', reason: 'no matching record' },
}

/** The destination asks for a certificate of the server's name, though the level does not: MTA-STS, mode testing. */
export function judgesName({ level, applied }: TlsPolicy): boolean {
  return applied?.type === 'sts' && !needsMatch(level)
}

/** Undefined: all is as it should be. */
export function judgeHandshake(policy: TlsPolicy, context: TlsContext): TlsFault | undefined {
  const { peerStatus, level } = context
  // the records looked usable, until the TLS engine had a closer look
  if (isDaneLevel(policy.level) && level === TLS_LEVELS.encrypt) return { code: 'tlsa-invalid' }
  const isTested = judgesName(policy)
  if (!isTested && !needsMatch(policy.level)) return undefined
  if ((peerStatus & PEER_STATUS.matched) !== 0) return undefined
  const finding = tlsFindingOf(peerStatus)
  if (finding !== undefined) return FAULTS[finding]
  if ((peerStatus & PEER_STATUS.trusted) === 0) return { code: NOT_TRUSTED }
  return isTested ? undefined : { code: 'validation-failure' }
}
