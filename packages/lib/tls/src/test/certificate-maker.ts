/**
 * certificate-maker - certificates for tests, made on the spot: valid, expired, for the wrong purpose, and so on
 *
 * Writes the DER of RFC 5280 by hand, as node:crypto cannot issue certificates and a test should not need openssl(1).
 */
/* eslint-disable n/no-sync -- for tests: nobody waits meanwhile */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

const OIDS: Readonly<Record<string, string>> = {
  CN: '550403',
  C: '550406',
  O: '55040a',
}
const SIGNATURES: Readonly<Record<string, string>> = {
  rsa: '06092a864886f70d01010b0500', // sha256WithRSAEncryption
  ec: '06082a8648ce3d040302', // ecdsa-with-SHA256
  ed25519: '06032b6570',
}
const DAY_MS = 86_400_000

export interface Authority {
  readonly subject: Readonly<Record<string, string>>
  readonly key: KeyObject
  readonly pem: string
}

export interface CertificateWishes {
  subject: Readonly<Record<string, string>>
  /** Nobody: it signs itself. */
  issuer?: Authority
  dnsNames?: readonly string[]
  /** Of version 4. */
  addresses?: readonly string[]
  isAuthority?: boolean
  /** Authorities that may stand between this one and a server. */
  pathLength?: number
  /** DNS names that it may issue for, and that it may not. */
  permitted?: string
  excluded?: string
  /** Key usage without keyCertSign. */
  cannotSign?: boolean
  /** An extension that nobody knows. */
  hasStrangeExtension?: boolean
  /** id-kp-clientAuth instead of none. */
  isForClients?: boolean
  /** id-kp-serverAuth instead of none. */
  isForServers?: boolean
  /** Days from now. */
  validFrom?: number
  validTo?: number
  keyType?: 'ec' | 'rsa' | 'ed25519' | 'p384'
}

export interface MadeCertificate extends Authority {
  readonly keyPem: string
}

let serial = 1

export function makeCertificate(wishes: CertificateWishes): MadeCertificate {
  const { publicKey, privateKey } = makeKeys(wishes.keyType ?? 'ec')
  const issuer = wishes.issuer ?? { subject: wishes.subject, key: privateKey, pem: '' }
  const algorithm = sequence(
    Buffer.from(SIGNATURES[issuer.key.asymmetricKeyType ?? ''] ?? '', 'hex'),
  )
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(serial++),
    algorithm,
    name(issuer.subject),
    sequence(time(wishes.validFrom ?? -1), time(wishes.validTo ?? 30)),
    name(wishes.subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions(wishes))),
  )
  const digest = issuer.key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  const signature = sign(digest, body, issuer.key)
  const der = sequence(body, algorithm, tagged(0x03, Buffer.of(0), signature))
  return {
    subject: wishes.subject,
    key: privateKey,
    pem: pem('CERTIFICATE', der),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function makeKeys(type: string): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (type) {
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'ed25519':
      return generateKeyPairSync('ed25519')
    default:
      return generateKeyPairSync('ec', { namedCurve: type === 'p384' ? 'secp384r1' : 'prime256v1' })
  }
}

function extensions(wishes: CertificateWishes): Buffer[] {
  const made: Buffer[] = []
  const add = (oid: string, value: Buffer, isCritical = false): void => {
    const critical = isCritical ? [Buffer.from('0101ff', 'hex')] : []
    made.push(sequence(tagged(0x06, Buffer.from(oid, 'hex')), ...critical, tagged(0x04, value)))
  }
  const isAuthority = wishes.isAuthority === true
  const limit = wishes.pathLength === undefined ? [] : [integer(wishes.pathLength)]
  add('551d13', sequence(...(isAuthority ? [Buffer.from('0101ff', 'hex'), ...limit] : [])), true)
  if (isAuthority) {
    add('551d0f', Buffer.from(wishes.cannotSign === true ? '03020780' : '03020106', 'hex'), true)
  }
  const subtree = (tag: number, base: string | undefined): Buffer[] =>
    base === undefined ? [] : [tagged(tag, sequence(tagged(0x82, Buffer.from(base))))]
  const subtrees = [...subtree(0xa0, wishes.permitted), ...subtree(0xa1, wishes.excluded)]
  if (subtrees.length > 0) add('551d1e', sequence(...subtrees), true)
  if (wishes.hasStrangeExtension === true) add('2a0304', Buffer.from('0500', 'hex'), true)
  if (wishes.isForClients === true) {
    add('551d25', sequence(Buffer.from('06082b06010505070302', 'hex')))
  }
  if (wishes.isForServers === true) {
    add('551d25', sequence(Buffer.from('06082b06010505070301', 'hex')))
  }
  const alternatives = [
    ...(wishes.dnsNames ?? []).map((dns) => tagged(0x82, Buffer.from(dns))),
    ...(wishes.addresses ?? []).map((text) =>
      tagged(0x87, Buffer.from(text.split('.').map(Number))),
    ),
  ]
  if (alternatives.length > 0) add('551d11', sequence(...alternatives))
  return made
}

function name(subject: Readonly<Record<string, string>>): Buffer {
  return sequence(
    ...Object.entries(subject).map(([key, value]) =>
      tagged(
        0x31,
        sequence(
          tagged(0x06, Buffer.from(OIDS[key] ?? '', 'hex')),
          tagged(0x0c, Buffer.from(value)),
        ),
      ),
    ),
  )
}

/** GeneralizedTime. */
function time(days: number): Buffer {
  const iso = new Date(Date.now() + days * DAY_MS).toISOString()
  return tagged(0x18, Buffer.from(`${iso.replace(/[-:T]/g, '').slice(0, 14)}Z`))
}

function integer(value: number): Buffer {
  const hex = value.toString(16)
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return tagged(0x02, ...((octets[0] ?? 0) > 0x7f ? [Buffer.of(0)] : []), octets)
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, ...parts)
}

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
