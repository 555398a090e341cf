/**
 * smtp-tls-dane-cases - TLSA records, right and wrong, and names that nobody vouches for, for smtp-tls.test
 *
 * Every key of a scripted peer is the same, so that digests of it can stand in the tables.
 */
import type { FakeName } from '@posthorn/testing/fake-dns'
import type { PeerOptions } from '@posthorn/testing/scripted-peer'
import { tlsaData } from '@posthorn/testing/test-certificates'
import type { Scenario } from './smtp-scenario.ts'

type Tlsa = readonly [usage: number, selector: number, matching: number, data: string]

const WRONG = '00'.repeat(32)
const leaf = { names: ['mx.$d'] }
const right: Tlsa = [3, 1, 1, tlsaData({}, 1, 1)]

const settings = {
  smtp_tls_policy_maps:
    'regexp:{ {/^dane\\./ dane} {/^only\\./ dane-only} {/^\\[dane\\./ dane} {/^\\[only\\./ dane-only} }',
  smtp_dns_support_level: 'dnssec',
  smtp_tls_loglevel: '1',
  smtp_tls_CAfile: '$dir/root.pem',
  smtp_tls_dane_insecure_mx_policy: 'dane',
}

function dane(
  level: string,
  records: readonly Tlsa[] | FakeName | undefined,
  more: Partial<Scenario> & { host?: FakeName; mx?: FakeName; certificate?: object } = {},
): Scenario {
  const { host, mx, certificate = leaf, ...rest } = more
  const tlsa =
    records === undefined
      ? {}
      : Array.isArray(records)
        ? { TLSA: records as Tlsa[] }
        : (records as FakeName)
  const server: PeerOptions = { extensions: ['PIPELINING'], tls: { certificate } }
  return {
    servers: { $1: server },
    names: {
      [`${level}.$d`]: mx ?? { MX: [[10, 'mx.$d']] },
      'mx.$d': host ?? { A: ['$1'] },
      ...(records === undefined ? {} : { '_25._tcp.mx.$d': tlsa }),
    },
    settings,
    nexthop: `${level}.$d`,
    ...rest,
  }
}

const insecure = { isSecure: false }

export const daneCases: Record<string, Scenario> = {}
for (const level of ['dane', 'only']) {
  Object.assign(daneCases, {
    [`${level}, key`]: dane(level, [right]),
    [`${level}, key, SHA-512`]: dane(level, [[3, 1, 2, tlsaData({}, 1, 2)]]),
    [`${level}, key, of an expired certificate with another name`]: dane(level, [right], {
      certificate: { names: ['other.test'], validity: 'expired' },
    }),
    [`${level}, root`]: dane(level, [[2, 1, 0, tlsaData('root', 1, 0)]]),
    [`${level}, intermediate`]: dane(level, [[2, 0, 1, tlsaData('intermediate', 0, 1)]]),
    [`${level}, intermediate, another name`]: dane(
      level,
      [[2, 0, 1, tlsaData('intermediate', 0, 1)]],
      {
        certificate: { names: ['other.test'] },
      },
    ),
    [`${level}, intermediate, name of the destination`]: dane(
      level,
      [[2, 0, 1, tlsaData('intermediate', 0, 1)]],
      { certificate: { names: [`${level}.$d`] } },
    ),
    [`${level}, wrong`]: dane(level, [[3, 1, 1, WRONG]]),
    [`${level}, wrong and right`]: dane(level, [[3, 1, 1, WRONG], right]),
    [`${level}, of a usage that is none`]: dane(level, [[1, 1, 1, WRONG]]),
    [`${level}, of a selector that is none`]: dane(level, [[3, 9, 1, WRONG]]),
    [`${level}, too short`]: dane(level, [[3, 1, 1, 'abcd']]),
    [`${level}, no records`]: dane(level, undefined),
    [`${level}, records that fail`]: dane(level, 'servfail'),
    [`${level}, records not signed`]: dane(level, { TLSA: [right], ...insecure }),
    [`${level}, address not signed`]: dane(level, [right], { host: { A: ['$1'], ...insecure } }),
    [`${level}, address not signed, asked all the same`]: dane(level, [right], {
      host: { A: ['$1'], ...insecure },
      settings: { ...settings, smtp_tls_force_insecure_host_tlsa_lookup: 'yes' },
    }),
    [`${level}, MX not signed`]: dane(level, [right], {
      mx: { MX: [[10, 'mx.$d']], ...insecure },
    }),
    [`${level}, MX not signed, may`]: dane(level, [right], {
      mx: { MX: [[10, 'mx.$d']], ...insecure },
      settings: { ...settings, smtp_tls_dane_insecure_mx_policy: 'may' },
    }),
    [`${level}, MX not signed, encrypt`]: dane(level, [[3, 1, 1, WRONG]], {
      mx: { MX: [[10, 'mx.$d']], ...insecure },
      settings: { ...settings, smtp_tls_dane_insecure_mx_policy: 'encrypt' },
    }),
    [`${level}, host is an alias`]: dane(level, [right], {
      names: {
        [`${level}.$d`]: { MX: [[10, 'mx.$d']] },
        'mx.$d': { CNAME: 'real.$d' },
        'real.$d': { A: ['$1'] },
        '_25._tcp.mx.$d': { TLSA: [right] },
      },
    }),
    [`${level}, records of the alias`]: dane(level, [right], {
      names: {
        [`${level}.$d`]: { MX: [[10, 'mx.$d']] },
        'mx.$d': { CNAME: 'real.$d' },
        'real.$d': { A: ['$1'] },
        '_25._tcp.real.$d': { TLSA: [right] },
      },
    }),
    [`${level}, without MX`]: dane(level, [right], {
      names: { [`${level}.$d`]: { A: ['$1'] }, [`_25._tcp.${level}.$d`]: { TLSA: [right] } },
      nexthop: `[${level}.$d]`,
    }),
    [`${level}, STARTTLS not offered`]: { ...dane(level, [right]), servers: { $1: {} } },
    [`${level}, without DNSSEC`]: dane(level, [right], {
      settings: { ...settings, smtp_dns_support_level: 'enabled' },
    }),
    [`${level}, MX errors ignored`]: dane(level, [right], {
      settings: { ...settings, ignore_mx_lookup_error: 'yes' },
    }),
    [`${level}, names completed`]: dane(level, [right], {
      settings: { ...settings, smtp_dns_resolver_options: 'res_dnsrch' },
    }),
    [`${level}, native look-ups only`]: dane(level, [right], {
      settings: { ...settings, smtp_host_lookup: 'native' },
      nexthop: `[${level}.$d]`,
    }),
  })
}

/** Nothing is validated: the probe tells the administrator. */
function probed(probe: string, answer: FakeName): Scenario {
  return dane('dane', [right], {
    names: {
      'dane.$d': { MX: [[10, 'mx.$d']], ...insecure },
      'mx.$d': { A: ['$1'], ...insecure },
      'probe.$d': answer,
    },
    settings: { ...settings, dnssec_probe: probe },
  })
}
Object.assign(daneCases, {
  'probe, not validated': probed('ns:probe.$d', { NS: ['ns.test'], ...insecure }),
  'probe, validated': probed('ns:probe.$d', { NS: ['ns.test'], isSecure: true }),
  'probe, another type': probed('mx:probe.$d', { NS: ['ns.test'], ...insecure }),
  'probe that fails': probed('ns:probe.$d', 'servfail'),
  'no probe': probed('', {}),
  'records in the log': dane('dane', [right], {
    settings: { ...settings, smtp_tls_loglevel: 'dane' },
  }),
})
