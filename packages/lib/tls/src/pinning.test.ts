import { X509Certificate, createHash } from 'node:crypto'
import t from 'tap'
import { TLS_LEVELS, type TlsaRecord } from '@posthorn/wire/tlsproxy-protocol'
import { isMatched } from './client-engine.ts'
import { fingerprintAnchors, publicKeyOf } from './fingerprint.ts'
import {
  makeCertificate,
  type CertificateWishes,
  type MadeCertificate,
} from './test/certificate-maker.ts'
import {
  clientOnly,
  connect,
  ECDSA,
  expired,
  failed,
  good,
  host,
  identity,
  inter,
  matches,
  other,
  root,
  self,
  UNTRUSTED,
  verify,
  wrong,
} from './test/judged-connection.ts'
import { PEER } from './test/settings.ts'

const digestOf = (octets: Buffer, algorithm = 'sha256'): string =>
  createHash(algorithm).update(octets).digest().toString('latin1')
const derOf = ({ pem }: MadeCertificate): Buffer => new X509Certificate(pem).raw
const keyOf = ({ pem }: MadeCertificate): Buffer =>
  publicKeyOf(new X509Certificate(pem)) ?? Buffer.of()
const tlsa = (usage: number, selector: number, matchingType: number, data: string): TlsaRecord => ({
  usage,
  selector,
  matchingType,
  data,
})
const full = (octets: Buffer): string => octets.toString('latin1')

t.test('start() judges certificates by TLSA records', async (t) => {
  const NO_MATCH = failed('num=65:no matching DANE TLSA records', 'server ')
  const CA_NO_MATCH = failed('num=65:no matching DANE TLSA records', 'CA ')
  const chain = identity(good, inter)
  const table: [string, ReturnType<typeof identity>, TlsaRecord[], string | undefined][] = [
    ['3 1 1', chain, [tlsa(3, 1, 1, digestOf(keyOf(good)))], undefined],
    ['3 0 1', chain, [tlsa(3, 0, 1, digestOf(derOf(good)))], undefined],
    ['3 1 2', chain, [tlsa(3, 1, 2, digestOf(keyOf(good), 'sha512'))], undefined],
    ['3 1 0', chain, [tlsa(3, 1, 0, full(keyOf(good)))], undefined],
    ['3 0 0', chain, [tlsa(3, 0, 0, full(derOf(good)))], undefined],
    [
      '3 1 1, expired',
      identity(expired, inter),
      [tlsa(3, 1, 1, digestOf(keyOf(expired)))],
      undefined,
    ],
    [
      '3 1 1, wrong name',
      identity(wrong, inter),
      [tlsa(3, 1, 1, digestOf(keyOf(wrong)))],
      undefined,
    ],
    ['3 1 1, self-signed', identity(self), [tlsa(3, 1, 1, digestOf(keyOf(self)))], undefined],
    ['3 1 1 of another', chain, [tlsa(3, 1, 1, digestOf(keyOf(other)))], NO_MATCH],
    ['2 0 1', chain, [tlsa(2, 0, 1, digestOf(derOf(inter)))], undefined],
    ['2 1 1', chain, [tlsa(2, 1, 1, digestOf(keyOf(inter)))], undefined],
    [
      '2 0 1 of a root that is not sent',
      chain,
      [tlsa(2, 0, 1, digestOf(derOf(root)))],
      CA_NO_MATCH,
    ],
    ['2 0 0 of a root that is not sent', chain, [tlsa(2, 0, 0, full(derOf(root)))], undefined],
    ['2 1 0 of a root that is not sent', chain, [tlsa(2, 1, 0, full(keyOf(root)))], undefined],
    ['2 0 0, no chain', identity(good), [tlsa(2, 0, 0, full(derOf(inter)))], undefined],
    ['2 0 1 of the server', chain, [tlsa(2, 0, 1, digestOf(derOf(good)))], CA_NO_MATCH],
    [
      '2 0 1, expired',
      identity(expired, inter),
      [tlsa(2, 0, 1, digestOf(derOf(inter)))],
      failed('certificate has expired', 'server '),
    ],
    [
      '2 0 1, wrong name',
      identity(wrong, inter),
      [tlsa(2, 0, 1, digestOf(derOf(inter)))],
      failed('num=62:hostname mismatch', 'server '),
    ],
    [
      '2 0 1, for clients',
      identity(clientOnly, inter),
      [tlsa(2, 0, 1, digestOf(derOf(inter)))],
      failed('not designated for use as a server certificate'),
    ],
    [
      '2 0 1 of the self-signed server',
      identity(self),
      [tlsa(2, 0, 1, digestOf(derOf(self)))],
      NO_MATCH,
    ],
    ['2 0 1 of nobody it knows', identity(self), [tlsa(2, 0, 1, digestOf(derOf(inter)))], NO_MATCH],
    [
      'a better digest that does not match',
      chain,
      [tlsa(3, 1, 1, digestOf(keyOf(good))), tlsa(3, 1, 2, digestOf(keyOf(other), 'sha512'))],
      NO_MATCH,
    ],
    [
      'roll-over',
      chain,
      [tlsa(3, 1, 1, digestOf(keyOf(other))), tlsa(3, 1, 1, digestOf(keyOf(good)))],
      undefined,
    ],
  ]
  for (const [name, context, records, failure] of table) {
    for (const level of [TLS_LEVELS.dane, TLS_LEVELS.daneOnly]) {
      const anchors = { domain: 'mx.good.test', records }
      const start = { level, matches, anchors, cipherExclusions: 'aNULL', sni: 'mx.good.test' }
      const { lines, context: found } = await connect(t, { context }, { start })
      const expected = failure === undefined ? [`Verified ${ECDSA}`] : [failure, UNTRUSTED]
      t.same(lines, expected, `${name} at level ${level}`)
      t.equal(found !== undefined && isMatched(found), failure === undefined, name)
    }
  }
})

t.test('start() passes over what does not belong to the chain', async (t) => {
  const context = identity(good, other, inter)
  t.same((await connect(t, { context }, { start: verify })).lines, [`Verified ${ECDSA}`])
  const anchors = { domain: 'mx.good.test', records: [tlsa(2, 0, 1, digestOf(derOf(inter)))] }
  const start = { level: TLS_LEVELS.dane, matches, anchors }
  t.same((await connect(t, { context }, { start })).lines, [`Verified ${ECDSA}`])
})

t.test('start() heeds what issuers may not do, whoever is trusted', async (t) => {
  const authority = { issuer: root, isAuthority: true }
  const table: [string, Partial<CertificateWishes>, string][] = [
    [
      'other names',
      { permitted: 'other.test' },
      failed('num=47:permitted subtree violation', 'server '),
    ],
    [
      'not these names',
      { excluded: 'good.test' },
      failed('num=48:excluded subtree violation', 'server '),
    ],
    ['no signatures', { cannotSign: true }, failed('num=79:invalid CA certificate', 'CA ')],
    ['no authority', { isAuthority: false }, failed('num=79:invalid CA certificate', 'CA ')],
    [
      'unknown',
      { hasStrangeExtension: true },
      failed('num=34:unhandled critical extension', 'CA '),
    ],
  ]
  for (const [name, wishes, failure] of table) {
    const issuer = makeCertificate({ subject: { CN: name }, ...authority, ...wishes })
    const context = identity(makeCertificate({ ...host, issuer }), issuer)
    t.same((await connect(t, { context }, { start: verify })).lines, [failure, UNTRUSTED], name)
    for (const record of [
      tlsa(2, 0, 1, digestOf(derOf(issuer))),
      tlsa(2, 0, 0, full(derOf(root))),
    ]) {
      const anchors = { domain: 'mx.good.test', records: [record] }
      const start = { level: TLS_LEVELS.dane, matches, anchors }
      t.same((await connect(t, { context }, { start })).lines, [failure, UNTRUSTED], name)
    }
  }
})

t.test('start() says Trusted, not Verified, when the MX record was insecure', async (t) => {
  const anchors = { domain: 'mx.good.test', records: [tlsa(3, 1, 1, digestOf(keyOf(good)))] }
  const start = { level: TLS_LEVELS.halfDane, matches, anchors }
  const { lines, context } = await connect(t, { context: identity(good, inter) }, { start })
  t.same(lines, [`Trusted ${ECDSA}`])
  t.equal(context !== undefined && isMatched(context), true)
})

t.test('start() drops records that are of no use', async (t) => {
  const anchors = { domain: 'mx.good.test', records: [tlsa(3, 1, 1, '\xab\xcd')] }
  const context = identity(good, inter)
  const start = { matches, anchors, cipherExclusions: 'aNULL' }
  const dane = await connect(
    t,
    { context },
    { init: { caFile: '' }, start: { ...start, level: TLS_LEVELS.dane } },
  )
  t.same(dane.lines, [
    `warning: ${PEER}: unusable TLSA RR: 3 1 1 ABCD`,
    `warning: ${PEER}: all TLSA records unusable, fallback to unauthenticated TLS`,
    failed('untrusted issuer /CN=Test Root CA'),
    UNTRUSTED,
  ])
  t.equal(dane.context?.level, TLS_LEVELS.encrypt)
  t.equal(dane.context !== undefined && isMatched(dane.context), true, 'mail goes')
  const only = await connect(t, { context }, { start: { ...start, level: TLS_LEVELS.daneOnly } })
  t.same(only.lines, [
    `warning: ${PEER}: unusable TLSA RR: 3 1 1 ABCD`,
    `warning: ${PEER}: all TLSA records unusable`,
    failed('num=1:unspecified certificate verification error', 'server '),
    UNTRUSTED,
  ])
  t.equal(only.context !== undefined && isMatched(only.context), false, 'mail waits')
})

t.test('start() judges by fingerprints of certificate or key, and by nothing else', async (t) => {
  const hex = (octets: Buffer, algorithm: string): string =>
    createHash(algorithm)
      .update(octets)
      .digest('hex')
      .toUpperCase()
      .replace(/..(?=.)/g, '$&:')
  for (const [octets, digest, isMatch] of [
    [derOf(expired), 'sha256', true],
    [keyOf(expired), 'sha1', true],
    [derOf(expired), 'md5', true],
    [derOf(other), 'sha256', false],
  ] as const) {
    const anchors = fingerprintAnchors([hex(octets, digest)])
    const start = { level: TLS_LEVELS.fingerprint, anchors, digest }
    const { lines } = await connect(
      t,
      { context: identity(expired, inter) },
      { init: { digest }, start },
    )
    t.same(
      lines,
      isMatch
        ? [`Verified ${ECDSA}`]
        : [failed('num=65:no matching DANE TLSA records', 'server '), UNTRUSTED],
    )
  }
})
