/**
 * smtp-tls.test - TLS of smtp(8) and lmtp(8): levels, certificates, STARTTLS, policies, DANE, in Postfix and in Posthorn
 */
import t from 'tap'
import { compareDeliveries, type Difference } from './smtp-delivery.ts'
import { ipv6 } from './smtp-ipv6-cases.ts'
import type { Scenario } from './smtp-scenario.ts'
import { certificates, handshakes, servers, startTls } from './smtp-tls-cases.ts'
import { daneCases } from './smtp-tls-dane-cases.ts'
import { tlsReuse } from './smtp-tls-reuse-cases.ts'
import { levels, lmtpTls, parentDomains, policies, sites } from './smtp-tls-policy-cases.ts'

t.setTimeout(120_000)

const tables = {
  certificate: certificates,
  STARTTLS: startTls,
  handshake: handshakes,
  'two servers': servers,
  policy: policies,
  parents: parentDomains,
  site: sites,
  level: levels,
  LMTP: lmtpTls,
  DANE: daneCases,
  reuse: tlsReuse,
  IPv6: ipv6,
}

const twice: Difference = {
  why: 'Postfix says twice that TLSA records could not be looked up',
  in: { log: (lines) => [...new Set(lines)] },
}
const differences: Record<string, Difference> = {
  'DANE: dane, records that fail': twice,
  'DANE: only, records that fail': twice,
}

t.test('TLS', async (t) => {
  const scenarios = Object.entries(tables).flatMap(([table, cases]) =>
    Object.entries(cases).map(([name, one]): [string, Scenario] => [`${table}: ${name}`, one]),
  )
  await compareDeliveries(t, Object.fromEntries(scenarios), { isSecure: true }, differences)
})
