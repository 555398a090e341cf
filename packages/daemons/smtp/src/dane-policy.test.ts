import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { TLS_LEVELS, type TlsaRecord } from '@posthorn/wire/tlsproxy-protocol'
import type { TlsaLookup } from './address-lookup.ts'
import { findDane, type DaneContext } from './dane-policy.ts'
import { DnssecProbe } from './dnssec-probe.ts'
import type { DnsFacts } from './server-host.ts'
import { readTlsOptions } from './tls-options.ts'
import { TlsPolicyError, type AppliedPolicy, type DaneFindings } from './tls-policy.ts'

const { may, encrypt, halfDane, dane, daneOnly } = TLS_LEVELS
const good: TlsaRecord = { usage: 3, selector: 1, matchingType: 1, data: 'x'.repeat(32) }
const odd: TlsaRecord = { ...good, usage: 1 }
const signed: DnsFacts = {
  queryName: 'mx.a.test',
  replyName: 'mx.a.test',
  isMxSecure: true,
  isAddressSecure: true,
}
const found = (...records: TlsaRecord[]): TlsaLookup => ({ kind: 'found', records, isSecure: true })
const missing: TlsaLookup = { kind: 'missing', isSecure: true }

interface Case {
  facts?: Partial<DnsFacts> | 'none'
  tlsa?: Record<string, TlsaLookup>
  insecureMx?: string
  forces?: string
  client?: Partial<DaneContext['client']>
  port?: number
}

async function run(
  level: number,
  given: Case,
): Promise<{
  /** Without what reports are told. */
  outcome: DaneFindings | string
  applied: AppliedPolicy | undefined
  lines: string[]
  asked: string[]
}> {
  const tls = readTlsOptions(
    MainConfig.of({
      smtp_tls_security_level: 'dane',
      smtp_tls_dane_insecure_mx_policy: given.insecureMx ?? 'dane',
      smtp_tls_force_insecure_host_tlsa_lookup: given.forces ?? 'no',
    }),
    'smtp',
  )
  if (tls === undefined) throw new Error('there is TLS')
  const asked: string[] = []
  const context: DaneContext = {
    client: {
      protocol: 'smtp',
      dnsSupport: 'dnssec',
      usesDns: true,
      ignoresMxErrors: false,
      search: undefined,
      ...given.client,
    },
    tls,
    probe: undefined,
    lookup: {
      findTlsa: async (name) => {
        asked.push(name)
        return Promise.resolve(given.tlsa?.[name] ?? missing)
      },
    },
  }
  const host = {
    name: 'mx.a.test',
    address: '192.0.2.1',
    port: given.port ?? 25,
    preference: 10,
    ...(given.facts !== 'none' && { dns: { ...signed, ...given.facts } }),
  }
  const captured = captureLog()
  try {
    const target = { element: 'a.test', domain: 'a.test', host }
    const { applied, ...outcome } = await findDane(level, target, context)
    return { outcome, applied, lines: captured.lines, asked }
  } catch (error) {
    if (!(error instanceof TlsPolicyError)) throw error
    return { outcome: error.message, applied: error.applied, lines: captured.lines, asked }
  } finally {
    captured.restore()
  }
}

t.test('findDane() makes of TLSA records what can be made of them', async (t) => {
  const configuration = 'client TLS configuration problem'
  const anchors = { domain: 'mx.a.test', records: [good] }
  const all = { level: dane, anchors, matches: ['mx.a.test', 'a.test'] }
  const tlsa = { 'mx.a.test': found(good) }
  const unsigned = { isMxSecure: false }
  const cases: [string, Case, DaneFindings | string, DaneFindings | string][] = [
    ['records', { tlsa }, all, { ...all, level: daneOnly }],
    ['Unix socket', { port: 0 }, configuration, configuration],
    ['no DNSSEC', { client: { dnsSupport: 'enabled' } }, { level: may }, configuration],
    ['no DNS', { client: { usesDns: false } }, { level: may }, configuration],
    ['MX errors ignored', { client: { ignoresMxErrors: true } }, { level: may }, configuration],
    [
      'names completed',
      { client: { search: { defaultNames: true, searchList: false } } },
      { level: may },
      configuration,
    ],
    [
      'MX unsigned, may',
      { facts: unsigned, insecureMx: 'may', tlsa },
      { level: may },
      'non DNSSEC destination',
    ],
    [
      'MX unsigned, encrypt',
      { facts: unsigned, insecureMx: 'encrypt', tlsa },
      { level: encrypt },
      'non DNSSEC destination',
    ],
    [
      'MX unsigned, dane',
      { facts: unsigned, tlsa },
      { level: halfDane, anchors, matches: ['mx.a.test'] },
      'non DNSSEC destination',
    ],
    [
      'look-up fails',
      { tlsa: { 'mx.a.test': { kind: 'failed', text: 'no server' } } },
      'TLSA lookup error for mx.a.test:25',
      'TLSA lookup error for mx.a.test:25',
    ],
    ['none', {}, { level: may }, 'no TLSA records found'],
    ['an address of our own', { facts: 'none' }, { level: may }, 'no TLSA records found'],
    [
      'records unsigned',
      { tlsa: { 'mx.a.test': { kind: 'found', records: [good], isSecure: false } } },
      { level: may },
      'no TLSA records found',
    ],
    [
      'address unsigned',
      { facts: { isAddressSecure: false }, tlsa },
      { level: may },
      'no TLSA records found',
    ],
    [
      'unusable',
      { tlsa: { 'mx.a.test': found(odd) } },
      { level: encrypt },
      'TLSA records unusable',
    ],
    ['one usable', { tlsa: { 'mx.a.test': found(odd, good) } }, all, { ...all, level: daneOnly }],
  ]
  for (const [name, given, opportunistic, mandatory] of cases) {
    t.same((await run(dane, given)).outcome, opportunistic, `dane: ${name}`)
    t.same((await run(daneOnly, given)).outcome, mandatory, `dane-only: ${name}`)
  }
})

t.test('findDane() tells reports which records there were, and what was wrong', async (t) => {
  const hex = '78'.repeat(32)
  const tlsa = { type: 'tlsa', domain: 'mx.a.test', mxHostPatterns: [] }
  const failed: TlsaLookup = { kind: 'failed', text: 'no server' }
  const cases: [number, Case, AppliedPolicy | object | undefined][] = [
    [dane, { tlsa: { 'mx.a.test': found(good) } }, { ...tlsa, strings: [`3 1 1 ${hex}`] }],
    [
      dane,
      { tlsa: { 'mx.a.test': found(odd) } },
      { ...tlsa, strings: [`1 1 1 ${hex}`], fault: { code: 'tlsa-invalid' } },
    ],
    [dane, {}, undefined],
    [daneOnly, {}, { ...tlsa, strings: [], fault: { code: 'dane-required' } }],
    [
      daneOnly,
      { tlsa: { 'mx.a.test': found(odd) } },
      { ...tlsa, strings: [`1 1 1 ${hex}`], fault: { code: 'tlsa-invalid' } },
    ],
    [
      dane,
      { tlsa: { 'mx.a.test': failed } },
      { ...tlsa, strings: [], fault: { code: 'dnssec-invalid' } },
    ],
    [daneOnly, { client: { dnsSupport: 'enabled' } }, undefined],
  ]
  for (const [level, given, expected] of cases) {
    t.same((await run(level, given)).applied, expected, JSON.stringify(given))
  }
})

t.test('findDane() asks for the end of the aliases first', async (t) => {
  const facts = { queryName: 'alias.a.test', replyName: 'real.a.test' }
  const both = await run(dane, { facts, tlsa: { 'alias.a.test': found(good) } })
  t.same(both.asked, ['real.a.test', 'alias.a.test'])
  t.match(both.outcome, { anchors: { domain: 'alias.a.test' } })
  const first = await run(dane, { facts, tlsa: { 'real.a.test': found(good) } })
  t.same(first.asked, ['real.a.test'])
  const forced = await run(dane, {
    facts: { ...facts, isAddressSecure: false },
    forces: 'yes',
    tlsa: { 'alias.a.test': found(good) },
  })
  t.same(forced.asked, ['alias.a.test'])
  t.match(forced.outcome, { level: dane })
})

t.test('findDane() says what it cannot use', async (t) => {
  const { lines } = await run(dane, { tlsa: { 'mx.a.test': found(odd) } })
  t.same(lines, [
    `warning: _25._tcp.mx.a.test unsupported TLSA certificate usage: 1 1 1 ${'78'.repeat(32)}`,
  ])
  const off = await run(daneOnly, { client: { dnsSupport: 'enabled' } })
  t.same(off.lines, ['warning: a.test: dane-only configured with dnssec lookups disabled'])
})

t.test('DnssecProbe asks once, and only when nothing was validated', async (t) => {
  const probe = async (
    answer: { kind: string; isSecure?: boolean; reason?: string },
    observed: boolean[],
    question = 'ns:.',
  ): Promise<{ lines: string[]; asked: string[] }> => {
    const asked: string[] = []
    const resolver = {
      query: async (name: string, type: string) => {
        asked.push(`${type} ${name}`)
        return Promise.resolve(answer)
      },
    }
    const one = new DnssecProbe(resolver, question)
    const captured = captureLog()
    for (const wasValidated of observed) await one.observe(wasValidated)
    captured.restore()
    return { lines: captured.lines, asked }
  }
  const plain = { kind: 'found', isSecure: false }
  t.same(await probe(plain, [false, false]), {
    asked: ['NS .'],
    lines: [
      'warning: DNSSEC validation may be unavailable',
      `warning: reason: dnssec_probe 'ns:.' received a response that is not DNSSEC validated`,
    ],
  })
  t.same((await probe(plain, [true, false])).asked, [])
  t.same((await probe({ ...plain, isSecure: true }, [false])).lines, [])
  t.same((await probe({ kind: 'tryAgain', reason: 'no server' }, [false])).lines, [
    `warning: reason: dnssec_probe 'ns:.' received no response: no server`,
  ])
  t.same((await probe(plain, [false], '')).asked, [])
})
