/**
 * summary-line - the log line of a TLS connection
 *
 *     Trusted TLS connection established to HOST[ADDRESS]:25: TLSv1.3 with cipher NAME (256/256 bits) key-exchange X25519
 *         server-signature RSA-PSS (2048 bits) server-digest SHA256
 *     Anonymous TLS connection established from HOST[ADDRESS] to SERVER-NAME: …
 *
 * Source: Postfix 3.7 smtp(8), tlsproxy(8), as they log.
 */
import { PEER_STATUS, type TlsContext } from '@posthorn/wire/tlsproxy-protocol'

/** `reused`: a session that tlsproxy(8) carries goes on with another delivery. */
export function summaryLine(context: TlsContext, how: 'established' | 'reused'): string {
  return lineFor(context, `${how} to ${context.peer}`)
}

/** `serverName`: what the client asked for, where it decided about our certificate; else empty. */
export function serverSummaryLine(context: TlsContext, serverName: string): string {
  const to = serverName === '' ? '' : ` to ${serverName}`
  return lineFor(context, `established from ${context.peer}${to}`)
}

function lineFor(context: TlsContext, what: string): string {
  const { cipherUsedBits, cipherBits } = context
  return (
    `${trustWord(context)} TLS connection ${what}: ${context.protocol} ` +
    `with cipher ${context.cipher} (${cipherUsedBits}/${cipherBits} bits)` +
    details(context)
  )
}

function trustWord({ peerStatus }: TlsContext): string {
  if ((peerStatus & PEER_STATUS.certificate) === 0) return 'Anonymous'
  if ((peerStatus & PEER_STATUS.secured) !== 0) return 'Verified'
  return (peerStatus & PEER_STATUS.trusted) === 0 ? 'Untrusted' : 'Trusted'
}

function details(context: TlsContext): string {
  let text = ''
  if (context.keyExchange !== '') {
    const { keyExchange, keyExchangeCurve, keyExchangeBits } = context
    text += ` key-exchange ${keyExchange}${strength(keyExchangeCurve, keyExchangeBits)}`
  }
  if (context.serverSignature !== '') {
    const { serverSignature, serverSignatureCurve, serverSignatureBits } = context
    text += ` server-signature ${serverSignature}${strength(serverSignatureCurve, serverSignatureBits)}`
    if (context.serverSignatureDigest !== '')
      text += ` server-digest ${context.serverSignatureDigest}`
  }
  if (context.clientSignature !== '') {
    const { clientSignature, clientSignatureCurve, clientSignatureBits } = context
    text += ` client-signature ${clientSignature}${strength(clientSignatureCurve, clientSignatureBits)}`
    if (context.clientSignatureDigest !== '')
      text += ` client-digest ${context.clientSignatureDigest}`
  }
  return text
}

function strength(curve: string, bits: number): string {
  if (curve !== '') return ` (${curve})`
  return bits > 0 ? ` (${bits} bits)` : ''
}
