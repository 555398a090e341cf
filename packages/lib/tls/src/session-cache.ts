/**
 * session-cache - TLS sessions that make the next handshake with the same server cheap
 *
 * A resumed session brings no certificate: what was found about it, at the full handshake, is kept with it. It must therefore
 * never serve another level, other names, authorities or settings: all of that is hashed into its id. A mark of ours in the
 * hash keeps our entries apart from those of Postfix's own smtp(8) with the same tlsmgr(8).
 * Trusts the store as much as tlsmgr(8) is trusted: who can write there can forge verdicts, and could forge sessions.
 * Source: Postfix 3.7 smtp(8), tlsmgr(8).
 */
import { createHash } from 'node:crypto'
import { isTlsFinding, type TlsFinding } from '@posthorn/wire/tls-finding'
import type { TlsClientStart } from '@posthorn/wire/tlsproxy-protocol'

const MARK = 'posthorn-tls-session-1'

/** What is known of the server's certificate. */
export interface PeerFacts {
  readonly isPresent: boolean
  readonly isTrusted: boolean
  readonly isMatched: boolean
  readonly peerName: string
  readonly issuerName: string
  readonly fingerprint: string
  readonly keyFingerprint: string
  /** Of its key, how TLS 1.3 signs. */
  readonly signature: { readonly name: string; readonly curve: string; readonly bits: number }
  /** What is wrong with it; absent: nothing, as far as it was looked at. */
  readonly finding?: TlsFinding
}

export interface CachedSession {
  readonly facts: PeerFacts
  /** Of node:tls. */
  readonly session: Buffer
}

/** `SERVICE&NEXTHOP&HOST&ADDRESS&&SHA256`. `settings`: a digest of what else the verdict depends on. */
export function sessionId(start: TlsClientStart, settings: string): string {
  const { level, matches, sni, protocols, cipherGrade, cipherExclusions, digest, anchors } = start
  const asked = { level, matches, sni, protocols, cipherGrade, cipherExclusions, digest, anchors }
  const hash = createHash('sha256')
    .update(JSON.stringify([MARK, process.version, start.helo, asked, settings]))
    .digest('hex')
  return `${start.serverId}&${hash.toUpperCase()}`
}

/** One line of JSON, then the session; latin1 octets. */
export function encodeSession({ facts, session }: CachedSession): string {
  return `${MARK}\n${Buffer.from(JSON.stringify(facts)).toString('latin1')}\n${session.toString('latin1')}`
}

/** @returns undefined: not ours, or of another version */
export function decodeSession(octets: string): CachedSession | undefined {
  const [mark, json] = octets.split('\n', 2)
  if (mark !== MARK || json === undefined) return undefined
  try {
    const facts: unknown = JSON.parse(Buffer.from(json, 'latin1').toString())
    if (!isFacts(facts)) return undefined
    return { facts, session: Buffer.from(octets.slice(mark.length + json.length + 2), 'latin1') }
  } catch {
    return undefined
  }
}

function isFacts(value: unknown): value is PeerFacts {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Record<keyof PeerFacts, unknown>
  const { signature } = fields
  return (
    [fields.isPresent, fields.isTrusted, fields.isMatched].every((it) => typeof it === 'boolean') &&
    [fields.peerName, fields.issuerName, fields.fingerprint, fields.keyFingerprint].every(
      (it) => typeof it === 'string',
    ) &&
    typeof signature === 'object' &&
    signature !== null &&
    (fields.finding === undefined || isTlsFinding(fields.finding))
  )
}
