/**
 * server-engine.test - handshakes with clients of all kinds, and the lines about them
 */
import { getDiffieHellman, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, type ConnectionOptions } from 'node:tls'
import { PEER_STATUS } from '@posthorn/wire/tlsproxy-protocol'
import t, { type Test } from 'tap'
import { temporaryDirectory, temporaryFiles } from '@posthorn/testing/temporary-directory'
import type { TlsServerInit, TlsServerStart } from './server-engine.ts'
import {
  accept,
  CLIENT,
  ends,
  logged,
  openEngine,
  serverStart,
} from './test/accepted-connection.ts'
import { makeCertificate, type CertificateWishes } from './test/certificate-maker.ts'
import { clientOnly, expired, good, host, inter, root, wrong } from './test/judged-connection.ts'

const directory = temporaryDirectory(t)
const file = temporaryFiles(t, directory)
const rsa = makeCertificate({ ...host, keyType: 'rsa' })
const EC = file('ec.pem', good.keyPem, good.pem, inter.pem)
const RSA = file('rsa.pem', rsa.keyPem, rsa.pem)
const EXPIRED = file('expired.pem', expired.keyPem, expired.pem)
const CA = file('ca.pem', root.pem)
const SUITE = 'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)'
const SERVER = 'server-signature ECDSA (prime256v1) server-digest SHA256'
const CLIENT_SIGNATURE = 'client-signature ECDSA (prime256v1) client-digest SHA256'
const established = (who: string, how: string): string =>
  `${who} TLS connection established from ${CLIENT}: ${how}`
const failed = (what: string, whose = ''): string =>
  `${whose}certificate verification failed for ${CLIENT}: ${what}`

interface Wanted {
  readonly init?: Partial<TlsServerInit>
  readonly start?: Partial<TlsServerStart>
  readonly tls?: ConnectionOptions
}

/** The lines of a handshake that succeeds, and of a word in each direction. */
async function lines(t: Test, { init, start, tls }: Wanted = {}): Promise<string[]> {
  return logged(async () => {
    const engine = await openEngine({ init: { chainFiles: EC, caFile: CA, ...init } })
    if (engine === undefined) throw new Error('no engine')
    const { stream, client } = await accept(t, engine, tls, start)
    const heard = once(client, 'data')
    stream.write('220 hello\r\n')
    t.equal(String((await heard)[0]), '220 hello\r\n')
    client.write('QUIT\r\n')
    t.equal(await stream.readUntil('\r\n', 100), 'QUIT')
    stream.close()
  })
}

t.test('accept() serves with each kind of key, old clients and new ones', async (t) => {
  const OLD = { maxVersion: 'TLSv1.2' } as const
  const OLDEST = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const
  const RSA_PSS = 'server-signature RSA-PSS (2048 bits) server-digest'
  const both = { chainFiles: `${EC}, ${RSA}` }
  const table: [string, Wanted, string][] = [
    ['ECDSA', {}, `${SUITE} key-exchange X25519 ${SERVER}`],
    ['RSA', { init: { chainFiles: RSA } }, `${SUITE} key-exchange X25519 ${RSA_PSS} SHA256`],
    [
      'the key that suits the client, with its digest',
      { init: both, tls: { sigalgs: 'RSA-PSS+SHA384' } },
      `${SUITE} key-exchange X25519 ${RSA_PSS} SHA384`,
    ],
    [
      'a certificate of its own and the key in another file',
      {
        init: {
          chainFiles: '',
          certFile: file('cert.pem', rsa.pem),
          keyFile: file('key.pem', rsa.keyPem),
        },
      },
      `${SUITE} key-exchange X25519 ${RSA_PSS} SHA256`,
    ],
    [
      'one that has expired: clients may not mind',
      { init: { chainFiles: EXPIRED } },
      `${SUITE} key-exchange X25519 ${SERVER}`,
    ],
    ['TLS 1.2', { tls: OLD }, 'TLSv1.2 with cipher ECDHE-ECDSA-AES128-GCM-SHA256 (128/128 bits)'],
    ['TLS 1.0', { tls: OLDEST }, 'TLSv1 with cipher ECDHE-ECDSA-AES256-SHA (256/256 bits)'],
    [
      'another group',
      { tls: { ecdhCurve: 'secp384r1' } },
      `${SUITE} key-exchange ECDHE (secp384r1) ${SERVER}`,
    ],
    [
      'another group than the one guessed',
      { tls: { ecdhCurve: 'secp256k1:prime256v1' } },
      `${SUITE} key-exchange ECDHE (prime256v1) ${SERVER}`,
    ],
    [
      'tls_ffdhe_auto_groups',
      { tls: { ecdhCurve: 'ffdhe3072' } },
      `${SUITE} key-exchange DHE (3072 bits) ${SERVER}`,
    ],
    [
      'no certificate at all',
      {
        init: { chainFiles: '', certFile: 'none' },
        tls: { ...OLD, ciphers: 'aNULL:@SECLEVEL=0' },
      },
      'TLSv1.2 with cipher ADH-AES256-GCM-SHA384 (256/256 bits)',
    ],
  ]
  for (const [name, wanted, how] of table) {
    t.same(await lines(t, wanted), [established('Anonymous', how)], name)
  }
})

t.test('accept() keeps to ciphers and protocols, and to whose choice it is', async (t) => {
  const OLD = { maxVersion: 'TLSv1.2' } as const
  const order = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384'
  const table: [Partial<TlsServerStart>, number, string][] = [
    [{}, 0, 'AES128'],
    [{}, 1, 'AES256'],
    [{ cipherExclusions: 'AES256' }, 1, 'AES128'],
  ]
  for (const [start, preemptsCipherList, expected] of table) {
    const engine = await openEngine({
      params: { preemptsCipherList },
      init: { chainFiles: EC, logLevel: '0' },
    })
    if (engine === undefined) throw new Error('no engine')
    const { context } = await accept(t, engine, { ...OLD, ciphers: order }, start)
    t.match(context.cipher, expected)
  }
})

/** PKCS #3, with 2 as generator; the prime has its highest bit set. */
function dhParameters(prime: Buffer): string {
  const size = (count: number): Buffer => Buffer.of(0x82, count >> 8, count & 255)
  const integer = Buffer.concat([Buffer.of(2), size(prime.length + 1), Buffer.of(0), prime])
  const content = Buffer.concat([integer, Buffer.of(2, 1, 2)])
  const der = Buffer.concat([Buffer.of(0x30), size(content.length), content])
  return `-----BEGIN DH PARAMETERS-----\n${der.toString('base64')}\n-----END DH PARAMETERS-----\n`
}

t.test('accept() takes Diffie-Hellman parameters, or OpenSSL has some', async (t) => {
  const tls = { maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256' } as const
  const FILE = file('dh.pem', dhParameters(getDiffieHellman('modp15').getPrime()))
  for (const [dhParameterFile, size, complaints] of [
    ['', 2048, []],
    ['auto', 2048, []],
    [FILE, 3072, []],
    [
      '/nonexistent',
      2048,
      [
        'warning: error opening DH parameter file "/nonexistent": No such file or directory -- using compiled-in defaults',
      ],
    ],
    [
      EC,
      2048,
      [
        `warning: error decoding DH parameters from file "${EC}" -- using compiled-in defaults`,
        'warning: TLS library problem: error:1E08010C:DECODER routines::unsupported:',
      ],
    ],
  ] as const) {
    const found = await logged(async () => {
      const engine = await openEngine({
        init: { chainFiles: RSA, dhParameterFile, logLevel: '0' },
      })
      if (engine === undefined) throw new Error('no engine')
      const { client } = await accept(t, engine, tls)
      t.match(client.getEphemeralKeyInfo(), { type: 'DH', size }, dhParameterFile)
    })
    t.same(found, complaints, dhParameterFile)
  }
})

t.test('accept() judges the certificate that it asked for', async (t) => {
  const client = (wishes: Partial<CertificateWishes> = {}, ...chain: { pem: string }[]) => {
    const made = makeCertificate({ ...host, ...wishes })
    return { key: made.keyPem, cert: [made, ...chain].map(({ pem }) => pem).join('') }
  }
  const table: [string, ConnectionOptions, string, string[]][] = [
    ['none', {}, 'Anonymous', []],
    ['good', client({}, inter), 'Trusted', []],
    ['with its root', client({}, inter, root), 'Trusted', []],
    ['of any name', { key: wrong.keyPem, cert: wrong.pem + inter.pem }, 'Trusted', []],
    ['for clients', { key: clientOnly.keyPem, cert: clientOnly.pem + inter.pem }, 'Trusted', []],
    [
      'for servers',
      client({ isForServers: true }, inter),
      'Untrusted',
      [failed('not designated for use as a client certificate')],
    ],
    [
      'without its issuer',
      client(),
      'Untrusted',
      [failed('untrusted issuer /CN=Test Intermediate CA')],
    ],
    [
      'expired',
      client({ validFrom: -60, validTo: -30 }, inter),
      'Untrusted',
      [failed('certificate has expired', 'client ')],
    ],
    [
      'not yet valid',
      client({ validFrom: 30, validTo: 60 }, inter),
      'Untrusted',
      [failed('certificate not yet valid', 'client ')],
    ],
  ]
  const asking = { asksForCertificate: true }
  for (const [name, tls, who, complaints] of table) {
    const signed = tls.cert === undefined ? '' : ` ${CLIENT_SIGNATURE}`
    const summary = established(who, `${SUITE} key-exchange X25519 ${SERVER}${signed}`)
    t.same(await lines(t, { init: asking, tls }), [summary], `asked: ${name}`)
    const start = { requiresCertificate: true }
    t.same(await lines(t, { init: asking, start, tls }), [...complaints, summary], name)
    const logLevel = 'untrusted'
    t.same(await lines(t, { init: { ...asking, logLevel }, tls }), complaints, `told: ${name}`)
  }
  t.same(
    await lines(t, {
      init: { ...asking, caFile: '' },
      start: { requiresCertificate: true },
      tls: client({}, inter),
    }),
    [
      failed('untrusted issuer /CN=Test Root CA'),
      established('Untrusted', `${SUITE} key-exchange X25519 ${SERVER} ${CLIENT_SIGNATURE}`),
    ],
    'nobody is known',
  )
})

t.test('accept() tells who the client is', async (t) => {
  const engine = await openEngine({
    init: { chainFiles: EC, caFile: CA, asksForCertificate: true, logLevel: '0' },
  })
  if (engine === undefined) throw new Error('no engine')
  const tls = { key: good.keyPem, cert: good.pem + inter.pem }
  const { context } = await accept(t, engine, tls)
  t.match(context, {
    peerName: 'mx.good.test',
    issuerName: 'Test Intermediate CA',
    fingerprint: new X509Certificate(good.pem).fingerprint256,
    keyFingerprint: /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/,
    level: 0,
    peerStatus: PEER_STATUS.certificate | PEER_STATUS.trusted,
    protocol: 'TLSv1.3',
    cipherUsedBits: 256,
    keyExchange: 'X25519',
    peer: CLIENT,
  })
  t.match((await accept(t, engine)).context, { peerName: '', fingerprint: '', peerStatus: 0 })
})

t.test('accept() at log level 2 tells how it went', async (t) => {
  const asking = { asksForCertificate: true, logLevel: '2' }
  const tls = { key: good.keyPem, cert: good.pem + inter.pem }
  const digest = /([0-9A-F]{2}:){31}[0-9A-F]{2}/g
  const found = await lines(t, { init: asking, start: { cipherExclusions: 'aNULL' }, tls })
  t.same(
    found.map((line) => line.replace(digest, 'DIGEST')),
    [
      'initializing the server-side TLS engine',
      `setting up TLS connection from ${CLIENT}`,
      `${CLIENT}: TLS cipher list "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH:!aNULL"`,
      `${CLIENT}: depth=2 verify=1 subject=/CN=Test Root CA`,
      `${CLIENT}: depth=1 verify=1 subject=/CN=Test Intermediate CA`,
      `${CLIENT}: depth=0 verify=1 subject=/CN=mx.good.test`,
      'subject=/CN=mx.good.test',
      'issuer=/CN=Test Intermediate CA',
      `${CLIENT}: subject_CN=mx.good.test, issuer=Test Intermediate CA, fingerprint=DIGEST, pkey_fingerprint=DIGEST`,
      established('Trusted', `${SUITE} key-exchange X25519 ${SERVER} ${CLIENT_SIGNATURE}`),
    ],
  )
})

t.test('accept() forgets what came in plaintext', async (t) => {
  const engine = await openEngine({ init: { chainFiles: EC, logLevel: '0' } })
  const { stream, socket } = ends(t)
  socket.write('STARTTLS\r\nMAIL FROM:<>\r\n')
  t.equal(await stream.readUntil('\r\n', 100), 'STARTTLS')
  t.equal(stream.buffered, 'MAIL FROM:<>\r\n')
  stream.write('220 go ahead\r\n')
  socket.once('data', () => {
    const client = connect({ socket, rejectUnauthorized: false }, () => {
      client.write('EHLO secret\r\n')
    })
    client.on('error', () => undefined)
  })
  await engine?.accept(stream, serverStart())
  t.equal(await stream.readUntil('\r\n', 100), 'EHLO secret')
})
