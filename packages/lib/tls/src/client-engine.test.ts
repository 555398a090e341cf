import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { isMatched } from './client-engine.ts'
import { makeCertificate } from './test/certificate-maker.ts'
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
  root,
  self,
  SUMMARY,
  UNTRUSTED,
  verify,
  wrong,
} from './test/judged-connection.ts'
import { PEER } from './test/settings.ts'

t.test(
  'start() judges certificates by the authorities of main.cf, in the words of Postfix',
  async (t) => {
    const table: [string, ReturnType<typeof identity>, string[], string[]][] = [
      ['good', identity(good, inter), [`Trusted ${ECDSA}`], [`Verified ${ECDSA}`]],
      ['root sent', identity(good, inter, root), [`Trusted ${ECDSA}`], [`Verified ${ECDSA}`]],
      [
        'expired',
        identity(expired, inter),
        [UNTRUSTED],
        [failed('certificate has expired', 'server '), UNTRUSTED],
      ],
      [
        'not yet valid',
        identity(makeCertificate({ ...host, validFrom: 30, validTo: 60 }), inter),
        [UNTRUSTED],
        [failed('certificate not yet valid', 'server '), UNTRUSTED],
      ],
      ['self-signed', identity(self), [UNTRUSTED], [failed('self-signed certificate'), UNTRUSTED]],
      [
        'wrong name',
        identity(wrong, inter),
        [`Trusted ${ECDSA}`],
        [failed('num=62:hostname mismatch', 'server '), UNTRUSTED],
      ],
      [
        'for clients',
        identity(clientOnly, inter),
        [UNTRUSTED],
        [failed('not designated for use as a server certificate'), UNTRUSTED],
      ],
      [
        'no chain',
        identity(good),
        [UNTRUSTED],
        [failed('untrusted issuer /CN=Test Intermediate CA'), UNTRUSTED],
      ],
    ]
    for (const [name, context, atMay, atVerify] of table) {
      const may = await connect(t, { context })
      t.same(may.lines, atMay, `${name} at may`)
      t.equal(
        may.context !== undefined && isMatched(may.context),
        true,
        `${name} at may is accepted`,
      )
      const strict = await connect(t, { context }, { start: verify })
      t.same(strict.lines, atVerify, `${name} at verify`)
      t.equal(
        strict.context !== undefined && isMatched(strict.context),
        atVerify.length === 1,
        `${name} at verify`,
      )
    }
  },
)

t.test('start() without CAfile trusts nobody, and says so at log level untrusted', async (t) => {
  const { lines } = await connect(
    t,
    { context: identity(good, inter) },
    { init: { caFile: '', logLevel: 'untrusted' } },
  )
  t.same(lines, [failed('untrusted issuer /CN=Test Root CA')])
})

t.test('start() counts the issuers between', async (t) => {
  const second = makeCertificate({ subject: { CN: 'I2' }, issuer: inter, isAuthority: true })
  const third = makeCertificate({ subject: { CN: 'I3' }, issuer: second, isAuthority: true })
  const deep = identity(makeCertificate({ ...host, issuer: third }), third, second, inter)
  for (const [verifyDepth, expected] of [
    [1, [failed('certificate chain longer than limit(2)'), UNTRUSTED]],
    [2, [`Verified ${ECDSA}`]],
  ] as const) {
    const { lines } = await connect(t, { context: deep }, { init: { verifyDepth }, start: verify })
    t.same(lines, expected, `depth ${verifyDepth}`)
  }
})

t.test(
  'start() tells about RSA, a client certificate, TLS 1.2 and anonymous ciphers',
  async (t) => {
    const rsa = makeCertificate({ ...host, keyType: 'rsa' })
    const client = makeCertificate({ subject: { CN: 'client.test' }, issuer: root })
    const chainFile = join(temporaryDirectory(t), 'client.pem')
    writeFileSync(chainFile, client.keyPem + client.pem)
    const RSA = `${SUMMARY} server-signature RSA-PSS (2048 bits) server-digest SHA256`
    const context = identity(rsa, inter)
    const init = { chainFiles: chainFile }
    const asked = await connect(t, { context, requestCert: true }, { init })
    t.same(asked.lines, [`Trusted ${RSA} client-signature ECDSA (prime256v1) client-digest SHA256`])
    t.same(
      (await connect(t, { context }, { init })).lines,
      [`Trusted ${RSA}`],
      'it was not asked for',
    )
    t.same(
      (await connect(t, { context, requestCert: true })).lines,
      [`Trusted ${RSA}`],
      'we have none',
    )
    const older = await connect(t, { context: { ...context, maxVersion: 'TLSv1.2' } })
    t.same(older.lines, [
      `Trusted TLS connection established to ${PEER}: TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)`,
    ])
    const anonymous = { maxVersion: 'TLSv1.2', ciphers: 'AECDH-AES256-SHA:@SECLEVEL=0' } as const
    t.same((await connect(t, { context: anonymous })).lines, [
      `Anonymous TLS connection established to ${PEER}: TLSv1.2 with cipher AECDH-AES256-SHA (256/256 bits)`,
    ])
    const oldest = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
    } as const
    t.same((await connect(t, { context: { ...context, ...oldest } })).lines, [
      `Trusted TLS connection established to ${PEER}: TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)`,
    ])
  },
)

t.test('start() at log level 2 tells how it went', async (t) => {
  const { lines } = await connect(
    t,
    { context: identity(good, inter) },
    { init: { logLevel: '2' }, start: { ...verify, sni: 'mx.good.test' } },
  )
  const digest = /([0-9A-F]{2}:){31}[0-9A-F]{2}/g
  t.same(
    lines.map((line) => line.replace(digest, 'DIGEST')),
    [
      'initializing the client-side TLS engine',
      `setting up TLS connection to ${PEER}`,
      `${PEER}: TLS cipher list "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH:!aNULL"`,
      `${PEER}: SNI hostname: mx.good.test`,
      `${PEER}: depth=2 verify=1 subject=/CN=Test Root CA`,
      `${PEER}: depth=1 verify=1 subject=/CN=Test Intermediate CA`,
      `${PEER}: depth=0 verify=1 subject=/CN=mx.good.test`,
      `${PEER}: matched peername: mx.good.test`,
      `${PEER}: subject_CN=mx.good.test, issuer_CN=Test Intermediate CA, fingerprint=DIGEST, pkey_fingerprint=DIGEST`,
      `Verified ${ECDSA}`,
    ],
  )
})
