import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { MapList } from '@posthorn/tables/map-list'
import { TLS_LEVELS, type TlsaRecord } from '@posthorn/wire/tlsproxy-protocol'
import type { TlsaLookup } from './address-lookup.ts'
import { readClientOptions } from './client-options.ts'
import type { TlsDemand } from './require-tls.ts'
import { matchesMxPattern } from './sts-policy.ts'
import { readTlsOptions } from './tls-options.ts'
import { TlsPolicies } from './tls-policies.ts'
import type { TlsPolicy } from './tls-policy.ts'
import type { Delivery } from './delivery.ts'

const { none, may, encrypt, halfDane, dane, daneOnly, verify, secure } = TLS_LEVELS
const good: TlsaRecord = { usage: 3, selector: 1, matchingType: 1, data: 'x'.repeat(32) }

interface Question {
  readonly level?: string
  /** Of the destination a.test. */
  readonly policy?: string
  readonly settings?: Record<string, string>
  readonly tlsa?: TlsaLookup
  readonly host?: string
  readonly isMxSecure?: boolean
  readonly demand?: TlsDemand
}

/** The policy, or the text of the failure. */
async function find(question: Question): Promise<TlsPolicy | string> {
  const {
    level = '',
    policy,
    settings = {},
    host: name = 'mx.a.test',
    isMxSecure = true,
  } = question
  const config = MainConfig.of({
    smtp_dns_support_level: 'dnssec',
    smtp_tls_security_level: level,
    smtp_tls_policy_maps: policy === undefined ? '' : `inline:{ {a.test = ${policy}} }`,
    ...settings,
  })
  const options = readTlsOptions(config, 'smtp')
  if (options === undefined) throw new Error('there is TLS')
  const maps = MapList.open('smtp_tls_policy_maps', config.text('smtp_tls_policy_maps'), { config })
  const perSite = MapList.open('smtp_tls_per_site', '', { config })
  const policies = new TlsPolicies(
    {
      options,
      tables: { policyMaps: maps, perSite },
      engine: undefined,
      proxyPath: '',
      keepsOwn: false,
      probe: undefined,
    },
    {
      options: readClientOptions(config, 'smtp', 'smtp'),
      lookup: {
        findTlsa: async () => Promise.resolve(question.tlsa ?? { kind: 'missing', isSecure: true }),
      } as never,
    },
    { demand: question.demand ?? 'none' },
  )
  const dns = { queryName: name, replyName: name, isMxSecure, isAddressSecure: true }
  const host = { name, address: '192.0.2.1', port: 25, preference: 10, dns }
  const delivery: Pick<Delivery, 'lastFailure'> = { lastFailure: undefined }
  const captured = captureLog()
  try {
    const found = await policies.findFor(delivery, { element: 'a.test', domain: 'a.test', host })
    if (found !== undefined) return found
    const { dsn, reason } = delivery.lastFailure ?? { dsn: '', reason: '' }
    return `${dsn} ${reason}`
  } finally {
    captured.restore()
  }
}

t.test('matchesMxPattern(): the asterisk is one label', (t) => {
  const cases: [string, string, boolean][] = [
    ['mx.a.test', 'mx.a.test', true],
    ['MX.a.test', 'mx.A.test', true],
    ['mx.a.test', '*.a.test', true],
    ['x.mx.a.test', '*.a.test', false],
    ['a.test', '*.a.test', false],
    ['.a.test', '*.a.test', false],
    ['mx.a.test', 'a.test', false],
    ['mx.a.test', 'mx.*.test', false],
  ]
  for (const [host, pattern, expected] of cases) {
    t.equal(matchesMxPattern(host, pattern), expected, `${host} ${pattern}`)
  }
  t.end()
})

const patterns = 'mx_host_pattern=mx.a.test mx_host_pattern=*.b.test'
const enforce = `secure match=mx.a.test:.b.test policy_type=sts policy_domain=a.test ${patterns}`
const testing = `may policy_type=sts ${patterns}`
const applied = {
  type: 'sts',
  domain: 'a.test',
  strings: [],
  mxHostPatterns: ['mx.a.test', '*.b.test'],
} as const
const mismatch = { code: 'validation-failure', reason: 'no mx pattern matches' } as const

t.test(
  'MTA-STS, mode enforce: the host is one of the policy, the certificate that of the host',
  async (t) => {
    t.match(await find({ policy: enforce }), {
      level: secure,
      matches: ['mx.a.test'],
      sni: 'mx.a.test',
      applied,
    })
    t.match(await find({ policy: enforce, host: 'one.b.test' }), {
      level: secure,
      matches: ['one.b.test'],
      sni: 'one.b.test',
    })
    const refused =
      '4.7.5 MX host x.one.b.test does not satisfy the MTA-STS policy of a.test: no mx pattern matches'
    t.equal(await find({ policy: enforce, host: 'x.one.b.test' }), refused)
    const failed = 'secure policy_type=sts policy_domain=a.test policy_failure=sts-webpki-invalid'
    t.equal(
      await find({ policy: failed }),
      '4.7.5 MX host mx.a.test does not satisfy the MTA-STS policy of a.test: sts-webpki-invalid',
    )
    t.match(
      await find({
        policy: enforce,
        host: 'x.one.b.test',
        settings: { smtp_tls_enforce_sts_mx_patterns: 'no' },
      }),
      { level: secure, matches: ['mx.a.test', '.b.test'] },
      'as before 3.10.5',
    )
    t.match(
      await find({ policy: 'secure match=.b.test policy_type=sts', host: 'x.one.b.test' }),
      { level: secure, matches: ['.b.test'] },
      'no patterns',
    )
    t.match(
      await find({ policy: `${enforce} servername=sni.test` }),
      { sni: 'sni.test' },
      'the table has the last word about SNI',
    )
  },
)

t.test('lmtp_tls_enforce_sts_mx_patterns is for lmtp(8)', (t) => {
  const off = { lmtp_tls_security_level: 'may', lmtp_tls_enforce_sts_mx_patterns: 'no' }
  t.equal(readTlsOptions(MainConfig.of(off), 'lmtp')?.enforcesMxPatterns, false)
  const on = { smtp_tls_security_level: 'may', ...off }
  t.equal(readTlsOptions(MainConfig.of(on), 'smtp')?.enforcesMxPatterns, true)
  t.end()
})

t.test('MTA-STS, mode testing: mail goes as without it', async (t) => {
  t.match(await find({ policy: testing }), { level: may, applied })
  t.match(await find({ policy: testing, host: 'x.test' }), {
    level: may,
    applied: { ...applied, fault: mismatch },
  })
  t.match(await find({ policy: testing, level: 'encrypt' }), { level: encrypt, applied })
  t.match(await find({ policy: testing, level: 'verify' }), {
    level: verify,
    matches: ['mx.a.test'],
  })
  const broken = 'may policy_type=no-policy-found policy_failure=sts-policy-invalid'
  t.match(await find({ policy: broken, level: 'encrypt' }), {
    level: may,
    applied: { type: 'no-policy-found', fault: { code: 'sts-policy-invalid' } },
  })
})

t.test('MTA-STS never weakens DANE', async (t) => {
  const records: TlsaLookup = { kind: 'found', records: [good], isSecure: true }
  const unusable: TlsaLookup = { ...records, records: [{ ...good, usage: 1 }] }
  const failed: TlsaLookup = { kind: 'failed', text: 'no server' }
  const anchors = { domain: 'mx.a.test', records: [good] }
  const byDane = { anchors, matches: ['mx.a.test', 'a.test'], applied: { type: 'tlsa' } }
  const bySts = { level: secure, anchors: undefined, matches: ['mx.a.test'], applied }
  const lookupError = '4.7.5 TLSA lookup error for mx.a.test:25'
  const cases: [string, Question, object | string, object | string][] = [
    [
      'records, enforce',
      { tlsa: records, policy: enforce },
      { ...byDane, level: dane },
      { ...byDane, level: daneOnly },
    ],
    [
      'records, testing',
      { tlsa: records, policy: testing },
      { ...byDane, level: dane },
      { ...byDane, level: daneOnly },
    ],
    [
      'records, a host that STS does not want',
      { tlsa: records, policy: 'secure policy_type=sts mx_host_pattern=x.test' },
      { ...byDane, level: dane },
      { ...byDane, level: daneOnly },
    ],
    ['look-up fails', { tlsa: failed, policy: enforce }, lookupError, lookupError],
    ['look-up fails, testing', { tlsa: failed, policy: testing }, lookupError, lookupError],
    ['none', { policy: enforce }, bySts, '4.7.5 no TLSA records found'],
    ['none, testing', { policy: testing }, { level: may, applied }, '4.7.5 no TLSA records found'],
    ['unusable', { tlsa: unusable, policy: enforce }, bySts, '4.7.5 TLSA records unusable'],
    [
      'unusable, testing',
      { tlsa: unusable, policy: testing },
      { level: encrypt, applied: { type: 'tlsa', fault: { code: 'tlsa-invalid' } } },
      '4.7.5 TLSA records unusable',
    ],
    [
      'MX not validated',
      { tlsa: records, policy: enforce, isMxSecure: false },
      bySts,
      '4.7.5 non DNSSEC destination',
    ],
    [
      'MX not validated, testing',
      { tlsa: records, policy: testing, isMxSecure: false },
      { level: halfDane, anchors },
      '4.7.5 non DNSSEC destination',
    ],
  ]
  for (const [name, question, opportunistic, mandatory] of cases) {
    t.match(await find({ ...question, level: 'dane' }), opportunistic, `dane: ${name}`)
    t.match(await find({ ...question, level: 'dane-only' }), mandatory, `dane-only: ${name}`)
  }
  t.match(
    await find({ level: 'dane', tlsa: records, policy: 'secure match=x.test' }),
    { level: secure, matches: ['x.test'], applied: { type: 'no-policy-found' } },
    'who does not say that it is MTA-STS replaces main.cf, as ever',
  )
  t.match(
    await find({ level: 'may', tlsa: records, policy: 'dane-only policy_type=sts' }),
    { level: daneOnly, applied: { type: 'tlsa' } },
    'a plugin may ask for DANE itself',
  )
})

t.test('what reports are told of other policies', async (t) => {
  const nothing = { type: 'no-policy-found', domain: 'a.test', strings: [], mxHostPatterns: [] }
  t.match(await find({ level: 'may' }), { applied: nothing })
  t.match(await find({ level: 'dane' }), { level: may, applied: nothing })
  t.match(await find({ policy: 'none' }), { level: none, applied: undefined })
})
