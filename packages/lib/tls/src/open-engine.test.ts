import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import type { TlsClientInit, TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'
import { openClientEngine } from './client-engine.ts'
import { openIdentities } from './client-identity.ts'
import { readTrustAnchors } from './trust-anchor-file.ts'
import { openTrustStore } from './trust-store.ts'
import { makeCertificate } from './test/certificate-maker.ts'
import { clientInit, clientParams } from './test/settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'ph-tls-'))
t.teardown(() => {
  rmSync(directory, { recursive: true, force: true })
})

function file(name: string, ...content: string[]): string {
  const path = join(directory, name)
  writeFileSync(path, content.join(''))
  return path
}

const root = makeCertificate({ subject: { CN: 'Test Root CA' }, isAuthority: true })
const ec = makeCertificate({ subject: { CN: 'client.test' }, issuer: root })
const otherEc = makeCertificate({ subject: { CN: 'client.test' }, issuer: root })
const rsa = makeCertificate({ subject: { CN: 'client.test' }, issuer: root, keyType: 'rsa' })
const otherRsa = makeCertificate({ subject: { CN: 'client.test' }, issuer: root, keyType: 'rsa' })
const encrypted = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })
  .toString()

const ecCert = file('ec.pem', ec.pem)
const ecKey = file('ec.key', ec.keyPem)
const rsaCert = file('rsa.pem', rsa.pem)
const rsaKey = file('rsa.key', rsa.keyPem)
const rubbish = file('rubbish.pem', 'rubbish\n')
const broken = file('broken.pem', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')
const missing = join(directory, 'nosuch')

/** What is logged, without what follows the words of OpenSSL; and whether there is TLS. */
async function open(
  init: Partial<TlsClientInit>,
  params: Partial<TlsClientParams> = {},
): Promise<string[]> {
  const log = captureLog()
  try {
    const engine = await openClientEngine(clientParams(params), clientInit(init))
    const lines = log.lines.map((line) => line.replace(/(error:[0-9A-F]+):.*/, '$1'))
    return [...lines, engine === undefined ? 'disabled' : 'enabled']
  } finally {
    log.restore()
  }
}

const library = (number: string): string => `warning: TLS library problem: error:${number}`
const loading = (path: string): string =>
  `warning: error loading private keys and certificates from: ${path}: disabling TLS support`

t.test(
  'openClientEngine() takes certificates and keys, and says what is wrong with them',
  async (t) => {
    const noKey = (type: string, path: string): string =>
      `warning: cannot get ${type} private key from file "${path}": disabling TLS support`
    const noCertificate = (path: string): string =>
      `warning: cannot get RSA certificate from file "${path}": disabling TLS support`
    const certFirst = file('cert-first.pem', ec.pem, ec.keyPem)
    const keyKey = file('key-key.pem', rsa.keyPem, ec.keyPem, ec.pem)
    const onlyKey = file('only-key.pem', ec.keyPem)
    const mismatch = file('mismatch.pem', otherEc.keyPem, ec.pem)
    const twice = file('twice.pem', ec.keyPem, ec.pem, otherEc.keyPem, otherEc.pem)
    const locked = file('locked.pem', encrypted)
    const all = file('all.pem', ec.keyPem, ec.pem, root.pem, rsa.keyPem, rsa.pem)
    const table: [string, Partial<TlsClientInit>, string[]][] = [
      ['none', {}, ['enabled']],
      ['two files', { certFile: rsaCert, keyFile: rsaKey }, ['enabled']],
      ['one file, any order', { ecCertFile: certFirst, ecKeyFile: certFirst }, ['enabled']],
      [
        'both kinds',
        { certFile: rsaCert, keyFile: rsaKey, ecCertFile: ecCert, ecKeyFile: ecKey },
        ['enabled'],
      ],
      ['a key without a certificate', { keyFile: rsaKey }, ['enabled']],
      [
        'a missing file',
        { certFile: missing, keyFile: missing },
        [`warning: error opening chain file: ${missing}: No such file or directory`, 'disabled'],
      ],
      [
        'a missing certificate',
        { certFile: missing, keyFile: rsaKey },
        [noCertificate(missing), library('80000002'), 'disabled'],
      ],
      [
        'a missing key',
        { certFile: rsaCert, keyFile: missing },
        [noKey('RSA', missing), library('80000002'), 'disabled'],
      ],
      [
        'no key in the file',
        { certFile: rsaCert, keyFile: rsaCert },
        [`warning: No private key found in ${rsaCert}`, loading(rsaCert), 'disabled'],
      ],
      [
        'rubbish',
        { certFile: rubbish, keyFile: rubbish },
        [`warning: No PEM data in ${rubbish}`, loading(rubbish), 'disabled'],
      ],
      [
        'a directory',
        { certFile: directory, keyFile: directory },
        [`warning: No PEM data in ${directory}`, loading(directory), 'disabled'],
      ],
      [
        'a rubbish key',
        { certFile: rsaCert, keyFile: rubbish },
        [noKey('RSA', rubbish), library('0480006C'), 'disabled'],
      ],
      [
        'a broken certificate',
        { certFile: broken, keyFile: rsaKey },
        [noCertificate(broken), library('0680007B'), 'disabled'],
      ],
      [
        'an encrypted key',
        { certFile: ecCert, keyFile: locked },
        [noKey('RSA', locked), library('0480006C'), 'disabled'],
      ],
      [
        'a key that does not match',
        { certFile: rsaCert, keyFile: file('other.key', otherRsa.keyPem) },
        [noKey('RSA', join(directory, 'other.key')), library('05800074'), 'disabled'],
      ],
      [
        'a key of another kind',
        { ecCertFile: ecCert, ecKeyFile: rsaKey },
        [
          `warning: ECDSA private key in ${rsaKey} does not match public key in ${ecCert}: disabling TLS support`,
          'disabled',
        ],
      ],
      ['chain files', { chainFiles: all }, ['enabled']],
      [
        'a key and its certificate in two chain files',
        { chainFiles: `${ecKey}, ${ecCert}` },
        ['enabled'],
      ],
      ['chain files count alone', { chainFiles: all, certFile: missing }, ['enabled']],
      [
        'a chain file that is missing',
        { chainFiles: missing },
        [`warning: error opening chain file: ${missing}: No such file or directory`, 'enabled'],
      ],
      [
        'a chain that begins with a certificate',
        { chainFiles: certFirst },
        [
          `warning: error loading chain from ${certFirst}: key not first`,
          loading(certFirst),
          'disabled',
        ],
      ],
      [
        'a key after a key',
        { chainFiles: keyKey },
        [
          `warning: error loading certificate chain: key at index 1 in ${keyKey} not followed by a certificate`,
          loading(keyKey),
          'disabled',
        ],
      ],
      [
        'a key alone',
        { chainFiles: onlyKey },
        [`warning: No certs for key at index 1 in ${onlyKey}`, loading(onlyKey), 'disabled'],
      ],
      [
        'a chain that does not match',
        { chainFiles: mismatch },
        [
          `warning: key at index 1 in ${mismatch} does not match next certificate`,
          library('0A000120'),
          loading(mismatch),
          'disabled',
        ],
      ],
      [
        'two keys of a kind',
        { chainFiles: twice },
        [
          `warning: key at index 3 in ${twice} does not match next certificate`,
          library('0A000121'),
          loading(twice),
          'disabled',
        ],
      ],
      [
        'an encrypted chain',
        { chainFiles: locked },
        [
          `warning: loading ${locked}: ignoring PEM type: ENCRYPTED PRIVATE KEY`,
          `warning: No PEM data in ${locked}`,
          loading(locked),
          'disabled',
        ],
      ],
    ]
    for (const [name, init, expected] of table) t.same(await open(init), expected, name)
  },
)

t.test('openIdentities() keeps a key with its chain', async (t) => {
  const all = file('chains.pem', ec.keyPem, ec.pem, root.pem, rsa.keyPem, rsa.pem)
  t.same(await openIdentities(clientInit({ chainFiles: all })), [
    { key: ec.keyPem, chain: ec.pem + root.pem },
    { key: rsa.keyPem, chain: rsa.pem },
  ])
})

t.test('openClientEngine() takes authorities, and says what is wrong with them', async (t) => {
  const refused = (places: string): string =>
    `cannot load Certification Authority data, ${places}: disabling TLS support`
  const caFile = file('ca.pem', 'comment\n', root.pem, ec.pem)
  const path = join(directory, 'certs')
  mkdirSync(path)
  const table: [string, Partial<TlsClientInit>, string[]][] = [
    ['a file', { caFile }, ['enabled']],
    [
      'a missing file',
      { caFile: missing },
      [refused(`CAfile="${missing}"`), library('80000002'), 'disabled'],
    ],
    [
      'a missing file, and a directory',
      { caFile: missing, caPath: path },
      [refused(`CAfile="${missing}", CApath="${path}"`), library('80000002'), 'disabled'],
    ],
    [
      'rubbish',
      { caFile: rubbish },
      [refused(`CAfile="${rubbish}"`), library('05800088'), 'disabled'],
    ],
    [
      'a directory as file',
      { caFile: path },
      [refused(`CAfile="${path}"`), library('05800088'), 'disabled'],
    ],
    ['a missing directory', { caPath: missing }, ['enabled']],
    ['a file as directory', { caPath: caFile }, ['enabled']],
  ]
  for (const [name, init, expected] of table) t.same(await open(init), expected, name)
  const brokenLines = await open({ caFile: broken })
  t.equal(brokenLines[0], refused(`CAfile="${broken}"`))
  t.equal(brokenLines.at(-1), 'disabled')
})

t.test(
  'openTrustStore() reads hashed names of a directory, and the bundle of the system when asked',
  async (t) => {
    const path = join(directory, 'hashed')
    mkdirSync(path)
    writeFileSync(join(path, '0123abcd.0'), root.pem)
    writeFileSync(join(path, '0123abcd.1'), 'rubbish')
    writeFileSync(join(path, 'other.pem'), ec.pem)
    const settings = { caFile: '', caPath: path, appendsDefaultCa: false }
    t.same(await openTrustStore(settings), [root.pem])
    process.env['SSL_CERT_FILE'] = file('system.pem', ec.pem)
    t.teardown(() => delete process.env['SSL_CERT_FILE'])
    t.same(await openTrustStore({ ...settings, appendsDefaultCa: true }), [root.pem, ec.pem])
  },
)

t.test('openClientEngine() says what else is wrong in main.cf', async (t) => {
  t.same(await open({ digest: 'nosuch' }), [
    'warning: Digest algorithm "nosuch" not found',
    'warning: disabling TLS support',
    'disabled',
  ])
  t.same(await open({}, { autoCurves: 'nosuch prime256v1' }), [
    'warning: ignoring unknown ECDHE curve "nosuch"',
    'enabled',
  ])
  t.same(await open({}, { daneDigests: 'nosuch' }), [
    'warning: tls_dane_digests: digest algorithm nosuch needs an explicit number',
    'enabled',
  ])
  t.same(await open({ logLevel: 'bogus' }), [
    'warning: unknown smtp_tls_loglevel value "bogus" in "bogus"',
    'enabled',
  ])
})

t.test('openClientEngine() cannot load settings of OpenSSL', async (t) => {
  t.same(await open({}, { configFile: missing }), [
    `warning: error loading the 'global' settings from the ${missing} OpenSSL configuration file, disabling TLS support`,
    library('80000002'),
    'disabled',
  ])
  t.same(await open({}, { configFile: rubbish }), [
    `warning: tls_config_file = ${rubbish} is ignored: OpenSSL has been initialized before`,
    'enabled',
  ])
  t.same(await open({}, { configFile: 'none' }), ['enabled'])
})

t.test('readTrustAnchors() makes records of certificates and keys', async (t) => {
  const log = captureLog()
  t.teardown(log.restore)
  const publicKey = generateKeyPairSync('ed25519').publicKey
  const der = publicKey.export({ type: 'spki', format: 'der' })
  const key = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const path = file('anchors.pem', key)
  const found = await readTrustAnchors([path, ecCert], true)
  t.same(
    found?.records.map(
      ({ usage, selector, matchingType }) => `${usage} ${selector} ${matchingType}`,
    ),
    ['3 1 0', '2 1 0', '3 0 0', '2 0 0'],
  )
  t.equal(found?.records[0]?.data, der.toString('latin1'))
  t.equal(
    log.lines[0],
    `TA pkey as TLSA record: ${path}: 2 1 0 ${der.toString('hex').toUpperCase()}`,
  )
  t.match(log.lines[1], /^TA cert as TLSA record: .*: 2 0 0 30[0-9A-F]{62}\.\.\.[0-9A-F]{64}$/)
  t.equal(await readTrustAnchors([missing]), undefined)
  t.equal(
    log.lines[2],
    `warning: error opening trust anchor file: ${missing}: No such file or directory`,
  )
  t.equal(await readTrustAnchors([rubbish]), undefined)
  t.equal(log.lines.length, 3)
})
