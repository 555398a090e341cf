/**
 * server-details - protocol, cipher, key exchange and signatures of a connection, as its server sees them
 *
 * node:tls tells a server less than a client. The group of the key exchange stands in the session; the digest of our signature
 * is the first that the client takes for a key like ours; with which one the client signed is taken to be that of its curve, or
 * SHA256. A session that was resumed has no signatures, and is told about without digests, as by Postfix.
 * Source: RFC 8446 4.2.3, 4.2.7 with the IANA registry of supported groups; Postfix 3.7 tlsproxy(8), as it logs.
 */
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import {
  describeConnection,
  keyExchangeNamed,
  NO_SIGNATURE,
  signatureOf,
  type ConnectionDetails,
  type KeyExchange,
  type Signature,
} from './connection-details.ts'
import { children } from './der.ts'

/** `client`: the client's certificate. */
export function serverDetails(
  socket: TLSSocket,
  client: X509Certificate | undefined,
): ConnectionDetails {
  return describeConnection(socket, () => {
    const own = socket.getX509Certificate()
    const isReused = socket.isSessionReused()
    const shown = (signature: Signature): Signature =>
      isReused ? { ...signature, digest: '' } : signature
    return {
      exchange: keyExchangeOf(socket.getSession()),
      client: client === undefined ? NO_SIGNATURE : shown(signatureOf(client)),
      server: own === undefined ? NO_SIGNATURE : shown(ownSignature(own, socket)),
    }
  })
}

function ownSignature(own: X509Certificate, socket: TLSSocket): Signature {
  const signature = signatureOf(own)
  if (signature.name !== 'RSA-PSS') return signature
  const chosen = socket.getSharedSigalgs().find((name) => name.startsWith('RSA-PSS+'))
  return chosen === undefined
    ? signature
    : { ...signature, digest: chosen.slice('RSA-PSS+'.length) }
}

const GROUPS: ReadonlyMap<number, KeyExchange> = new Map([
  [0x0017, keyExchangeNamed('ECDHE', 'prime256v1')],
  [0x0018, keyExchangeNamed('ECDHE', 'secp384r1')],
  [0x0019, keyExchangeNamed('ECDHE', 'secp521r1')],
  [0x001d, keyExchangeNamed('X25519')],
  [0x001e, keyExchangeNamed('X448')],
  [0x0100, keyExchangeNamed('DHE', '', 2048)],
  [0x0101, keyExchangeNamed('DHE', '', 3072)],
  [0x0102, keyExchangeNamed('DHE', '', 4096)],
  [0x0103, keyExchangeNamed('DHE', '', 6144)],
  [0x0104, keyExchangeNamed('DHE', '', 8192)],
  [0x11ec, keyExchangeNamed('X25519MLKEM768')],
])

/** The field `kex_group` of a serialized session of OpenSSL: its tag, an explicit one. */
const KEX_GROUP = 0xb3

/** `session`: as OpenSSL 3 writes it (i2d_SSL_SESSION(3)). What cannot be found is not told. */
export function keyExchangeOf(session: Buffer | undefined): KeyExchange {
  return GROUPS.get(kexGroup(session)) ?? keyExchangeNamed('')
}

/** 0: there is none. */
function kexGroup(session: Buffer | undefined): number {
  try {
    const [fields] = children(session ?? Buffer.of())
    const wrapped = children(fields?.content ?? Buffer.of()).find(({ tag }) => tag === KEX_GROUP)
    const [group] = children(wrapped?.content ?? Buffer.of())
    return group === undefined ? 0 : Number.parseInt(group.content.toString('hex'), 16)
  } catch (error) {
    if (error instanceof RangeError) return 0
    throw error
  }
}
