/**
 * test-certificates - certificates for TLS tests: good ones, and those that nobody would issue
 *
 *     issueCertificate({ names: ['mx.example.test'] })          // key, chain and certificate, as PEM
 *     issueCertificate({ validity: 'expired', key: 'rsa' })
 *     rootPem()                                                 // for CAfile
 *
 * A root, an intermediate below it, and leaves below that. Made in this process, in well under a millisecond each (with
 * openssl(1), a name of its own for each scenario would take longer than the scenario), and made once: the same
 * request gives the same certificate, so that its digest can stand in a TLSA record before the server starts. Every
 * leaf of one kind of key has the same key. The dates lie decades from any today.
 * Source: RFC 5280.
 */
import {
  createHash,
  generateKeyPairSync,
  sign,
  X509Certificate,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto'
import {
  bitString,
  boolean,
  element,
  integer,
  octetString,
  oid,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts'

export interface CertificateRequest {
  /** DNS names of the subject; those that begin with '*.' stand for many. Default: peer.test. */
  readonly names?: readonly string[]
  /** Default: the first of the names. */
  readonly commonName?: string
  /** The names stand in the subject only. */
  readonly hasCommonNameOnly?: boolean
  /** Default: ec (P-256), which costs a server the least. */
  readonly key?: 'ec' | 'rsa'
  /** Default: intermediate. other: of a root that nobody trusts. */
  readonly issuer?: 'intermediate' | 'root' | 'other' | 'self'
  /** Default: good, from 2001 to 2098. */
  readonly validity?: 'good' | 'expired' | 'future'
  /** Default: both. */
  readonly usage?: 'server' | 'client' | 'both'
  /** What the server sends with it; default: the intermediate. */
  readonly sends?: 'intermediate' | 'nothing more' | 'root too'
}

export interface IssuedCertificate {
  /** PKCS #8, PEM. */
  readonly key: string
  /** PEM, what is sent with it included. */
  readonly cert: string
  readonly certificate: X509Certificate
}

interface Authority {
  readonly name: string
  readonly keys: KeyPairKeyObjectResult
  readonly certificate: X509Certificate
}

const VALIDITY = {
  good: [new Date('2001-01-01T00:00:00Z'), new Date('2098-01-01T00:00:00Z')],
  expired: [new Date('2001-01-01T00:00:00Z'), new Date('2002-01-01T00:00:00Z')],
  future: [new Date('2097-01-01T00:00:00Z'), new Date('2098-01-01T00:00:00Z')],
} as const

const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
const RSA_WITH_SHA256 = sequence(oid('1.2.840.113549.1.1.11'), Buffer.from([0x05, 0x00]))
const USAGE = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const

/** The first call makes it, the others give the same. */
function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined
  return () => (made ??= make())
}

const ecKeys = (): KeyPairKeyObjectResult => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const leafKeys = {
  ec: once(ecKeys),
  rsa: once(() => generateKeyPairSync('rsa', { modulusLength: 2048 })),
}
const root = once(() => authority('Test Root CA'))
const intermediate = once(() => authority('Test Intermediate CA', root()))
const other = once(() => authority('Other Root CA'))

let serials = 0

function subjectOf(commonName: string): Buffer {
  return sequence(set(sequence(oid('2.5.4.3'), utf8String(commonName))))
}

function publicKeyOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' })
}

/** RFC 5280 4.2.1.2 (1), of the whole SubjectPublicKeyInfo: any digest will do that is the same in both places. */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1').update(publicKeyOf(key)).digest()
}

function extension(id: string, content: Buffer, isCritical = false): Buffer {
  return sequence(oid(id), ...(isCritical ? [boolean(true)] : []), octetString(content))
}

interface Fields {
  readonly subject: string
  readonly key: KeyObject
  readonly issuer: string
  readonly issuerKeys: KeyPairKeyObjectResult
  readonly validity: keyof typeof VALIDITY
  readonly extensions: readonly Buffer[]
}

function certificateOf(fields: Fields): X509Certificate {
  const { privateKey, publicKey } = fields.issuerKeys
  const algorithm = privateKey.asymmetricKeyType === 'rsa' ? RSA_WITH_SHA256 : ECDSA_WITH_SHA256
  const [from, until] = VALIDITY[fields.validity]
  const signed = sequence(
    element(0xa0, integer(2)),
    integer(++serials),
    algorithm,
    subjectOf(fields.issuer),
    sequence(time(from), time(until)),
    subjectOf(fields.subject),
    publicKeyOf(fields.key),
    element(
      0xa3,
      sequence(
        ...fields.extensions,
        extension('2.5.29.14', octetString(keyIdentifier(fields.key))),
        extension('2.5.29.35', sequence(element(0x80, keyIdentifier(publicKey)))),
      ),
    ),
  )
  const signature = sign('sha256', signed, privateKey)
  return new X509Certificate(sequence(signed, algorithm, bitString(signature)))
}

function authority(name: string, issuer?: Authority): Authority {
  const keys = ecKeys()
  const certificate = certificateOf({
    subject: name,
    key: keys.publicKey,
    issuer: issuer?.name ?? name,
    issuerKeys: issuer?.keys ?? keys,
    validity: 'good',
    extensions: [
      extension('2.5.29.19', sequence(boolean(true)), true),
      // keyCertSign, cRLSign
      extension('2.5.29.15', bitString(Buffer.from([0x06]), 1), true),
    ],
  })
  return { name, keys, certificate }
}

function leafOf(request: CertificateRequest): X509Certificate {
  const { names = ['peer.test'], usage = 'both', issuer = 'intermediate' } = request
  const keys = leafKeys[request.key ?? 'ec']()
  const subject = request.commonName ?? names[0] ?? 'peer.test'
  const signers = {
    intermediate,
    root,
    other,
    self: () => ({ name: subject, keys }),
  }
  const signer = signers[issuer]()
  const usages = usage === 'both' ? (['server', 'client'] as const) : [usage]
  return certificateOf({
    subject,
    key: keys.publicKey,
    issuer: signer.name,
    issuerKeys: signer.keys,
    validity: request.validity ?? 'good',
    extensions: [
      // digitalSignature, keyEncipherment
      extension('2.5.29.15', bitString(Buffer.from([0xa0]), 5), true),
      extension('2.5.29.37', sequence(...usages.map((one) => oid(USAGE[one])))),
      ...(request.hasCommonNameOnly === true
        ? []
        : [
            extension(
              '2.5.29.17',
              sequence(...names.map((name) => element(0x82, Buffer.from(name, 'latin1')))),
            ),
          ]),
    ],
  })
}

const issued = new Map<string, IssuedCertificate>()

export function issueCertificate(request: CertificateRequest = {}): IssuedCertificate {
  const id = JSON.stringify(request)
  const known = issued.get(id)
  if (known !== undefined) return known
  const certificate = leafOf(request)
  const { issuer = 'intermediate', sends = 'intermediate' } = request
  const chain = [certificate.toString()]
  if (issuer === 'intermediate' && sends !== 'nothing more') chain.push(intermediatePem())
  if (sends === 'root too') chain.push(rootPem())
  const { privateKey } = leafKeys[request.key ?? 'ec']()
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const made = { key, cert: chain.join(''), certificate }
  issued.set(id, made)
  return made
}

export function rootPem(): string {
  return root().certificate.toString()
}

export function intermediatePem(): string {
  return intermediate().certificate.toString()
}

/** The association data of a TLSA record, in hexadecimal (RFC 6698 2.1). Usage 2 wants that of an authority. */
export function tlsaData(
  of: CertificateRequest | 'root' | 'intermediate',
  selector: 0 | 1,
  matching: 0 | 1 | 2,
): string {
  const authorities = { root, intermediate }
  const certificate =
    typeof of === 'string' ? authorities[of]().certificate : issueCertificate(of).certificate
  const data = selector === 0 ? certificate.raw : publicKeyOf(certificate.publicKey)
  if (matching === 0) return data.toString('hex')
  return createHash(matching === 1 ? 'sha256' : 'sha512')
    .update(data)
    .digest('hex')
}
