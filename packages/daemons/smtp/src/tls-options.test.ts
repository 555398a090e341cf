import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { TLS_LEVELS, type TlsClientInit } from '@posthorn/wire/tlsproxy-protocol'
import { readTlsOptions, type TlsOptions } from './tls-options.ts'
import { completePolicy, tlsStart, type TlsRequest } from './tls-policy.ts'

const host = { name: 'MX.a.test', address: '192.0.2.1', port: 25, preference: 10 }
const target = { element: '[a.test]:25', domain: 'a.test', host }

t.test('readTlsOptions(): the level, from new parameters and old', (t) => {
  const cases: [Record<string, string>, number | undefined][] = [
    [{}, undefined],
    [{ smtp_tls_security_level: 'none' }, undefined],
    [{ smtp_tls_security_level: 'may' }, TLS_LEVELS.may],
    [{ smtp_tls_security_level: 'dane-only' }, TLS_LEVELS.daneOnly],
    [{ smtp_use_tls: 'yes' }, TLS_LEVELS.may],
    [{ smtp_enforce_tls: 'yes' }, TLS_LEVELS.verify],
    [{ smtp_enforce_tls: 'yes', smtp_tls_enforce_peername: 'no' }, TLS_LEVELS.encrypt],
    [{ smtp_enforce_tls: 'yes', smtp_tls_security_level: 'none' }, undefined],
    [{ smtp_tls_policy_maps: 'static:may' }, TLS_LEVELS.none],
    [{ smtp_tls_per_site: 'static:MAY' }, TLS_LEVELS.none],
    [{ smtp_tls_wrappermode: 'yes' }, TLS_LEVELS.none],
  ]
  for (const [settings, expected] of cases) {
    t.equal(
      readTlsOptions(MainConfig.of(settings), 'smtp')?.level,
      expected,
      JSON.stringify(settings),
    )
  }
  const captured = captureLog()
  const both = { smtp_tls_per_site: 'static:MAY', smtp_tls_policy_maps: 'static:may' }
  t.ok(readTlsOptions(MainConfig.of(both), 'smtp'))
  captured.restore()
  t.same(captured.lines, [
    'warning: smtp_tls_per_site ignored when smtp_tls_policy_maps is not empty.',
  ])
  t.equal(readTlsOptions(MainConfig.of({ smtp_use_tls: 'yes' }), 'lmtp'), undefined)
  t.equal(readTlsOptions(MainConfig.of({ lmtp_use_tls: 'yes' }), 'lmtp')?.level, TLS_LEVELS.may)
  t.throws(() => readTlsOptions(MainConfig.of({ smtp_tls_security_level: 'half-dane' }), 'smtp'), {
    message: 'Invalid TLS level "half-dane"',
  })
  t.end()
})

t.test('readTlsOptions(): the groups of the TLS engine', (t) => {
  const settings = {
    lmtp_tls_security_level: 'may',
    lmtp_tls_loglevel: '2',
    lmtp_tls_CAfile: '/ca.pem',
    lmtp_tls_cert_file: '/cert.pem',
    lmtp_tls_scert_verifydepth: '3',
    tls_append_default_CA: 'yes',
    tls_high_cipherlist: 'HIGH',
  }
  const options = readTlsOptions(MainConfig.of(settings), 'lmtp')
  t.match(options?.init, {
    logParameter: 'lmtp_tls_loglevel',
    logLevel: '2',
    cacheType: 'lmtp',
    caFile: '/ca.pem',
    certFile: '/cert.pem',
    keyFile: '/cert.pem',
    verifyDepth: 3,
  })
  t.match(options?.params, { appendsDefaultCa: 1, highCipherList: 'HIGH', tlsmgrService: 'tlsmgr' })
  t.equal(options?.logsRecords, true)
  t.end()
})

/** Without `smtp_` or `lmtp_`: a value that is not the default of either, and where the engine gets it. */
const INIT: Readonly<Record<string, readonly [string, keyof TlsClientInit, unknown]>> = {
  tls_loglevel: ['2', 'logLevel', '2'],
  tls_scert_verifydepth: ['3', 'verifyDepth', 3],
  tls_chain_files: ['/chain.pem', 'chainFiles', '/chain.pem'],
  tls_cert_file: ['/rsa.pem', 'certFile', '/rsa.pem'],
  tls_key_file: ['/rsa.key', 'keyFile', '/rsa.key'],
  tls_dcert_file: ['/dsa.pem', 'dsaCertFile', '/dsa.pem'],
  tls_dkey_file: ['/dsa.key', 'dsaKeyFile', '/dsa.key'],
  tls_eccert_file: ['/ec.pem', 'ecCertFile', '/ec.pem'],
  tls_eckey_file: ['/ec.key', 'ecKeyFile', '/ec.key'],
  tls_CAfile: ['/ca.pem', 'caFile', '/ca.pem'],
  tls_CApath: ['/ca', 'caPath', '/ca'],
  tls_fingerprint_digest: ['sha512', 'digest', 'sha512'],
}

const POLICY: Readonly<
  Record<string, readonly [string, (options: TlsOptions) => unknown, unknown]>
> = {
  tls_block_early_mail_reply: ['yes', (options) => options.blocksEarlyReply, true],
  tls_force_insecure_host_tlsa_lookup: ['yes', (options) => options.forcesTlsaLookup, true],
  starttls_timeout: ['7s', (options) => options.timeoutSeconds, 7],
  tls_exclude_ciphers: ['aNULL', (options) => options.exclusions, 'aNULL'],
  tls_trust_anchor_file: ['/ta.pem', (options) => options.anchorFiles, ['/ta.pem']],
}

t.test('readTlsOptions() reads each parameter under the name of the program', (t) => {
  for (const protocol of ['smtp', 'lmtp'] as const) {
    const read = (name: string, value: string): TlsOptions | undefined =>
      readTlsOptions(
        MainConfig.of({
          [`${protocol}_tls_security_level`]: 'may',
          [`${protocol}_${name}`]: value,
        }),
        protocol,
      )
    for (const [name, [value, field, expected]] of Object.entries(INIT)) {
      t.equal(read(name, value)?.init[field], expected, `${protocol}_${name}`)
    }
    for (const [name, [value, pick, expected]] of Object.entries(POLICY)) {
      const options = read(name, value)
      t.same(options && pick(options), expected, `${protocol}_${name}`)
    }
  }
  t.end()
})

async function complete(
  request: TlsRequest,
  settings: Record<string, string> = {},
): ReturnType<typeof completePolicy> {
  const config = MainConfig.of({ smtp_tls_security_level: 'may', ...settings })
  const options = readTlsOptions(config, 'smtp')
  if (options === undefined) throw new Error('there is TLS')
  return completePolicy(request, target, options)
}

t.test('completePolicy() takes the defaults of the level', async (t) => {
  const { may, encrypt, verify, secure, fingerprint } = TLS_LEVELS
  const settings = {
    smtp_tls_protocols: 'P',
    smtp_tls_mandatory_protocols: 'M',
    smtp_tls_ciphers: 'low',
    smtp_tls_mandatory_ciphers: 'high',
    smtp_tls_exclude_ciphers: 'MD5',
    smtp_tls_mandatory_exclude_ciphers: 'RC4',
    smtp_tls_fingerprint_cert_match: '00:11',
  }
  const cases: [TlsRequest, object][] = [
    [{ level: may }, { protocols: 'P', grade: 'low', exclusions: 'MD5', matches: [], sni: '' }],
    [{ level: encrypt }, { protocols: 'M', grade: 'high', exclusions: 'MD5 RC4 eNULL' }],
    [{ level: verify }, { exclusions: 'MD5 RC4 aNULL', matches: ['MX.a.test'] }],
    [{ level: secure }, { matches: ['a.test', '.a.test'] }],
    [{ level: secure, match: ['hostname', 'b.test'] }, { matches: ['MX.a.test', 'b.test'] }],
    [
      { level: encrypt, exclusions: 'DES', grade: 'null' },
      { exclusions: 'DES eNULL', grade: 'null' },
    ],
    [
      { level: may, serverName: 'hostname', protocols: '' },
      { sni: 'MX.a.test', protocols: '' },
    ],
    [{ level: may, serverName: 'nexthop' }, { sni: 'a.test' }],
    [
      { level: fingerprint },
      {
        anchors: {
          domain: '',
          records: [
            { usage: 3, selector: 1, matchingType: 255, data: '\x00\x11' },
            { usage: 3, selector: 0, matchingType: 255, data: '\x00\x11' },
          ],
        },
      },
    ],
  ]
  for (const [request, expected] of cases) {
    t.match(await complete(request, settings), expected, JSON.stringify(request))
  }
})

t.test('completePolicy() refuses what cannot be', async (t) => {
  const cases: [TlsRequest, Record<string, string>, RegExp][] = [
    [{ level: TLS_LEVELS.fingerprint }, {}, /but with no fingerprints to match/],
    [
      { level: TLS_LEVELS.may },
      { smtp_tls_servername: 'a_/b' },
      /^warning: "smtp_tls_servername = a_\/b" specifies/,
    ],
    [
      { level: TLS_LEVELS.verify, anchorFiles: ['/nonexistent'] },
      {},
      /^warning: error opening trust anchor file/,
    ],
  ]
  for (const [request, settings, line] of cases) {
    const captured = captureLog()
    const error: unknown = await complete(request, settings).catch((fault: unknown) => fault)
    captured.restore()
    t.match(error, { failure: { dsn: '4.7.5', reason: 'client TLS configuration problem' } })
    t.match(captured.lines.at(-1), line)
  }
})

t.test('tlsStart() names the connection', async (t) => {
  const options = readTlsOptions(MainConfig.of({ smtp_tls_security_level: 'may' }), 'smtp')
  if (options === undefined) throw new Error('there is TLS')
  const policy = await completePolicy({ level: TLS_LEVELS.may }, target, options)
  t.match(tlsStart(policy, target, options, { service: 'relay', heloName: 'me.test' }), {
    level: 1,
    nexthop: 'a.test',
    host: 'MX.a.test',
    peer: 'mx.a.test[192.0.2.1]:25',
    serverId: 'relay&[a.test]:25&MX.a.test&192.0.2.1&',
    helo: 'me.test',
    timeoutSeconds: 300,
  })
})
