/**
 * tls-finding - what was wrong with a certificate, in the bits of peer_status that Postfix does not use
 *
 *     bits 0 to 4     PEER_STATUS, as in Postfix
 *     bit 8           the handshake went on with a session of before
 *     bits 12 to 15   the finding, 0: none
 *
 * For reports (RFC 8460). Only who asks for them gets these bits, so that no real smtp(8) ever does.
 */

/** The order is that of the numbers, from 1. */
const FINDINGS = [
  'other',
  'no-certificate',
  'host-mismatch',
  'expired',
  'not-yet-valid',
  'self-signed',
  'untrusted-issuer',
  'wrong-purpose',
  'chain',
  'no-matching-record',
] as const

export type TlsFinding = (typeof FINDINGS)[number]

const RESUMED = 1 << 8
const SHIFT = 12
const MASK = 0xf

/** To be joined with PEER_STATUS. */
export function encodeTlsFinding(finding: TlsFinding | undefined, isResumed: boolean): number {
  const number = finding === undefined ? 0 : FINDINGS.indexOf(finding) + 1
  return (isResumed ? RESUMED : 0) | (number << SHIFT)
}

/** Undefined: nothing was found to be wrong, or tlsproxy(8) is one that does not tell. */
export function tlsFindingOf(peerStatus: number): TlsFinding | undefined {
  return FINDINGS[((peerStatus >> SHIFT) & MASK) - 1]
}

export function isTlsResumed(peerStatus: number): boolean {
  return (peerStatus & RESUMED) !== 0
}

export function isTlsFinding(word: unknown): word is TlsFinding {
  return FINDINGS.some((one) => one === word)
}
