/**
 * open-server.test - files and settings of a TLS server that are of no use, and what main.cf makes of them
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { TLS_LEVELS } from '@posthorn/wire/tlsproxy-protocol'
import t from 'tap'
import { hasCertificates, readServerSettings } from './server-settings.ts'
import { logged, openEngine, serverInit, type ServerSetting } from './test/accepted-connection.ts'
import { makeCertificate } from './test/certificate-maker.ts'

const directory = temporaryDirectory(t)
const own = makeCertificate({ subject: { CN: 'own.test' } })
const OWN = join(directory, 'own.pem')
writeFileSync(OWN, own.keyPem + own.pem)
const GARBAGE = join(directory, 'garbage.pem')
writeFileSync(GARBAGE, 'hello\n')

t.test('openServerEngine() says why TLS is disabled', async (t) => {
  const noFile = 'TLS library problem: error:80000002:system library::No such file or directory'
  const table: [string, ServerSetting, (string | RegExp)[]][] = [
    [
      'fingerprints',
      { init: { digest: 'bogus' } },
      ['warning: Digest algorithm "bogus" not found', 'warning: disabling TLS support'],
    ],
    [
      'protocols',
      { init: { protocols: '>=bogus' } },
      ['warning: Invalid TLS protocol list ">=bogus": disabling TLS support'],
    ],
    [
      'authorities',
      { init: { caFile: '/nonexistent' } },
      [
        'cannot load Certification Authority data, CAfile="/nonexistent": disabling TLS support',
        `warning: ${noFile}:calling fopen(/nonexistent, r):`,
      ],
    ],
    [
      'a chain without PEM',
      { init: { chainFiles: GARBAGE } },
      [
        `warning: No PEM data in ${GARBAGE}`,
        `warning: error loading private keys and certificates from: ${GARBAGE}: disabling TLS support`,
      ],
    ],
    [
      'no key',
      { init: { certFile: OWN, keyFile: '/nonexistent' } },
      [
        'warning: cannot get RSA private key from file "/nonexistent": disabling TLS support',
        `warning: ${noFile}:calling fopen(/nonexistent, r):`,
      ],
    ],
    [
      'no configuration of OpenSSL',
      { params: { configFile: '/nonexistent' } },
      [/^warning: error loading the 'global' settings from the \/nonexistent OpenSSL/, /fopen/],
    ],
  ]
  for (const [name, setting, expected] of table) {
    let engine: unknown = 'not opened'
    t.match(await logged(async () => (engine = await openEngine(setting))), expected, name)
    t.equal(engine, undefined, name)
  }
})

t.test('openServerEngine() does without what it does not know', async (t) => {
  const setting = {
    params: { sslOptions: 'bogus', autoCurves: 'nistp bogus', logLevel: 'x' },
    init: { chainFiles: OWN, ffdheGroups: 'ffdhe1', logLevel: 'bogus' },
  }
  let engine: unknown
  const found = await logged(async () => (engine = await openEngine(setting)))
  t.same(found, [
    'warning: unknown smtpd_tls_loglevel value "bogus" in "bogus"',
    'warning: unknown tls_ssl_options value "bogus" in "bogus"',
    'warning: ignoring unknown ECDHE curve "nistp"',
    'warning: ignoring unknown ECDHE curve "bogus"',
    'warning: ignoring unknown FFDHE group "ffdhe1"',
  ])
  t.type(engine, 'object')
})

t.test('readServerSettings() reads those of the program, and of the level', (t) => {
  const main = {
    smtpd_tls_security_level: 'may',
    smtpd_tls_cert_file: '/cert',
    smtpd_tls_ciphers: 'high',
    smtpd_tls_protocols: '>=TLSv1.2',
    smtpd_tls_exclude_ciphers: 'RC4',
    smtpd_tls_mandatory_ciphers: 'null',
    smtpd_tls_mandatory_protocols: '>=TLSv1.3',
    smtpd_tls_mandatory_exclude_ciphers: 'SEED',
    tls_fast_shutdown_enable: 'no',
    tls_ffdhe_auto_groups: 'ffdhe4096',
    tls_server_sni_maps: 'texthash:/sni',
  }
  for (const prefix of ['smtpd', 'tlsproxy'] as const) {
    t.match(readServerSettings(MainConfig.of(main), prefix), {
      level: TLS_LEVELS.may,
      cipherGrade: 'high',
      cipherExclusions: 'RC4',
      requiresCertificate: false,
      init: {
        logParameter: `${prefix}_tls_loglevel`,
        cacheType: 'smtpd',
        certFile: '/cert',
        keyFile: '/cert',
        protocols: '>=TLSv1.2',
        asksForCertificate: false,
        awaitsPeerClose: true,
        ffdheGroups: 'ffdhe4096',
        sniMaps: 'texthash:/sni',
      },
    })
  }
  const own = { tlsproxy_tls_cert_file: '/own', tlsproxy_tls_security_level: 'encrypt' }
  const mandatory = { ...main, ...own, tlsproxy_tls_req_ccert: 'yes' }
  t.match(readServerSettings(MainConfig.of(mandatory), 'tlsproxy'), {
    level: TLS_LEVELS.encrypt,
    cipherGrade: 'null',
    cipherExclusions: 'RC4, SEED, aNULL',
    requiresCertificate: true,
    init: { certFile: '/own', protocols: '>=TLSv1.3', asksForCertificate: true },
  })
  t.match(readServerSettings(MainConfig.of(mandatory), 'smtpd'), { level: TLS_LEVELS.may })
  t.end()
})

t.test('readServerSettings() knows old parameters, none, and what cannot be', async (t) => {
  const levelOf = (main: Record<string, string>): number | undefined =>
    readServerSettings(MainConfig.of(main), 'smtpd')?.level
  t.equal(levelOf({}), undefined)
  t.equal(levelOf({ smtpd_tls_security_level: 'none', smtpd_use_tls: 'yes' }), undefined)
  t.equal(levelOf({ smtpd_use_tls: 'yes' }), TLS_LEVELS.may)
  t.equal(levelOf({ smtpd_tls_security_level: 'Encrypt' }), TLS_LEVELS.encrypt)
  const warned = await logged(async () => {
    t.equal(levelOf({ smtpd_tls_security_level: 'Verify' }), TLS_LEVELS.encrypt)
    return Promise.resolve()
  })
  t.same(warned, [
    'warning: smtpd_tls_security_level: unsupported TLS level "Verify", using "encrypt"',
  ])
  t.throws(() => levelOf({ smtpd_tls_security_level: 'dane' }), {
    message: 'Invalid TLS level "dane"',
  })
  t.equal(levelOf({ smtpd_enforce_tls: 'yes' }), TLS_LEVELS.encrypt)
  const main = {
    smtpd_tls_security_level: 'may',
    smtpd_tls_req_ccert: 'yes',
    smtpd_tls_always_issue_session_ids: 'no',
  }
  const found = await logged(async () => {
    const settings = readServerSettings(MainConfig.of(main), 'smtpd')
    t.equal(settings?.init.asksForCertificate, false)
    return Promise.resolve()
  })
  t.same(found, [
    "warning: Can't require client certs unless TLS is required",
    'warning: smtpd_tls_always_issue_session_ids = no has no effect',
  ])
})

t.test(
  'hasCertificates() takes none for an answer, if clients are not asked for theirs',
  async (t) => {
    t.equal(hasCertificates(serverInit()), false)
    t.equal(hasCertificates(serverInit({ chainFiles: '/x' })), true)
    t.equal(hasCertificates(serverInit({ ecCertFile: '/x' })), true)
    t.equal(hasCertificates(serverInit({ certFile: 'none' })), true)
    const found = await logged(async () => {
      const init = serverInit({ certFile: 'none', asksForCertificate: true })
      t.equal(hasCertificates(init), false)
      return Promise.resolve()
    })
    t.same(found, ['warning: Need a server cert to request client certs'])
  },
)
