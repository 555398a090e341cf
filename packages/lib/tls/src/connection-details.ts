/**
 * connection-details - protocol, cipher, key exchange and signatures of a connection
 *
 * node:tls does not tell with which digest the server signed. It is that of the curve for ECDSA; for RSA it is taken to be
 * SHA256, which servers choose from the list that we send.
 * Source: RFC 8446 4.2.3 (signature schemes of TLS 1.3), Postfix 3.7 smtp(8), as it logs.
 */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import { cipherBits } from './cipher-list.ts'

export interface Signature {
  readonly name: string
  readonly curve: string
  readonly bits: number
  readonly digest: string
}

export const NO_SIGNATURE: Signature = { name: '', curve: '', bits: 0, digest: '' }

const CURVE_DIGESTS: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'SHA256'],
  ['secp384r1', 'SHA384'],
  ['secp521r1', 'SHA512'],
])

/** How TLS 1.3 signs with the key of this certificate. */
export function signatureOf(certificate: X509Certificate): Signature {
  let key: KeyObject
  try {
    key = certificate.publicKey
  } catch {
    return NO_SIGNATURE // of a kind that node:crypto does not know
  }
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa-pss':
      return { name: 'RSASSA-PSS', curve: '', bits: 0, digest: 'SHA256' }
    case 'rsa':
      return { name: 'RSA-PSS', curve: '', bits: modulusLength, digest: 'SHA256' }
    case 'ec':
      return {
        name: 'ECDSA',
        curve: namedCurve,
        bits: 0,
        digest: CURVE_DIGESTS.get(namedCurve) ?? 'SHA256',
      }
    case 'ed25519':
      return { name: 'ED25519', curve: '', bits: 0, digest: '' }
    case 'ed448':
      return { name: 'ED448', curve: '', bits: 0, digest: '' }
    default:
      return NO_SIGNATURE
  }
}

/** Certificates that are looked at: a longer chain is cut. Real ones have five. */
const MAX_CERTIFICATES = 32

/**
 * The server's own certificate, then those that it sent and that issued the one before, in whatever order they came. Empty
 * without a certificate, and for a session that was resumed.
 */
export function peerChain(socket: TLSSocket): X509Certificate[] {
  const sent: X509Certificate[] = []
  let certificate = socket.getPeerX509Certificate()
  while (certificate !== undefined && sent.length < MAX_CERTIFICATES) {
    sent.push(certificate)
    certificate = certificate.issuerCertificate
  }
  const chain = sent.slice(0, 1)
  for (;;) {
    const last = chain.at(-1)
    if (last === undefined || last.checkIssued(last)) return chain
    const rest = sent.filter((other) => !chain.includes(other))
    // one that may not issue counts as well: somebody has to say so
    const issuer =
      rest.find((other) => last.checkIssued(other)) ??
      rest.find((other) => last.issuer === other.subject)
    if (issuer === undefined) return chain
    chain.push(issuer)
  }
}

export type ConnectionDetails = Pick<
  TlsContext,
  | 'protocol'
  | 'cipher'
  | 'cipherUsedBits'
  | 'cipherBits'
  | 'keyExchange'
  | 'keyExchangeCurve'
  | 'keyExchangeBits'
  | 'clientSignature'
  | 'clientSignatureCurve'
  | 'clientSignatureBits'
  | 'clientSignatureDigest'
  | 'serverSignature'
  | 'serverSignatureCurve'
  | 'serverSignatureBits'
  | 'serverSignatureDigest'
>

/** `server`: how it signed; only TLS 1.3 tells about signatures and key exchange. */
export function connectionDetails(
  socket: TLSSocket,
  server: Signature,
  hasIdentity: boolean,
): ConnectionDetails {
  return describeConnection(socket, () => ({
    exchange: keyExchange(socket),
    client: hasIdentity ? clientSignature(socket) : NO_SIGNATURE,
    server,
  }))
}

export type KeyExchange = Pick<TlsContext, 'keyExchange' | 'keyExchangeCurve' | 'keyExchangeBits'>

/** What both sides do, with TLS 1.3. */
export interface Exchange {
  readonly exchange: KeyExchange
  readonly client: Signature
  readonly server: Signature
}

/** `tell` is asked with TLS 1.3 only. */
export function describeConnection(socket: TLSSocket, tell: () => Exchange): ConnectionDetails {
  const protocol = socket.getProtocol() ?? ''
  const cipher = socket.getCipher().name
  const bits = cipherBits(cipher)
  const { exchange, client, server } = protocol === 'TLSv1.3' ? tell() : NOTHING_TOLD
  return {
    protocol,
    cipher,
    cipherUsedBits: bits.used,
    cipherBits: bits.algorithm,
    ...exchange,
    clientSignature: client.name,
    clientSignatureCurve: client.curve,
    clientSignatureBits: client.bits,
    clientSignatureDigest: client.digest,
    serverSignature: server.name,
    serverSignatureCurve: server.curve,
    serverSignatureBits: server.bits,
    serverSignatureDigest: server.digest,
  }
}

const NOTHING_TOLD: Exchange = {
  exchange: keyExchangeNamed(''),
  client: NO_SIGNATURE,
  server: NO_SIGNATURE,
}

/** A server that asks for a certificate says what it can verify. */
function clientSignature(socket: TLSSocket): Signature {
  if (socket.getSharedSigalgs().length === 0) return NO_SIGNATURE
  const certificate = socket.getX509Certificate()
  return certificate === undefined ? NO_SIGNATURE : signatureOf(certificate)
}

function keyExchange(socket: TLSSocket): KeyExchange {
  const info = socket.getEphemeralKeyInfo()
  const {
    type = '',
    name = '',
    size = 0,
  } = (info ?? {}) as { type?: string; name?: string; size?: number }
  if (type === 'DH') return keyExchangeNamed('DHE', '', size)
  switch (name.toLowerCase()) {
    case '':
      return keyExchangeNamed('')
    case 'x25519':
      return keyExchangeNamed('X25519')
    case 'x448':
      return keyExchangeNamed('X448')
    case 'secp256r1':
      return keyExchangeNamed('ECDHE', 'prime256v1')
    default:
      return type === 'ECDH' || name.startsWith('secp')
        ? keyExchangeNamed('ECDHE', name)
        : keyExchangeNamed(name)
  }
}

export function keyExchangeNamed(
  keyExchange: string,
  keyExchangeCurve = '',
  keyExchangeBits = 0,
): KeyExchange {
  return { keyExchange, keyExchangeCurve, keyExchangeBits }
}
