/**
 * smtp-tls-policy-cases - what smtp_tls_policy_maps and its elders say, right and wrong, for smtp-tls.test
 */
import type { PeerOptions } from '@posthorn/testing/scripted-peer'
import { issueCertificate } from '@posthorn/testing/test-certificates'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import type { Scenario } from './smtp-scenario.ts'
import { tls } from './smtp-tls-cases.ts'

const common = { smtp_tls_CAfile: '$dir/root.pem', smtp_tls_loglevel: '1' }

/** By name of the case: a policy. */
const POLICIES: Record<string, string> = {
  empty: ' ',
  unknown: 'bogus',
  numeric: '2',
  upper: 'ENCRYPT',
  'none-with': 'none match=x ciphers=high',
  'no-value': 'encrypt ciphers',
  'no-name': 'encrypt =high',
  'empty-ciphers': 'encrypt ciphers=',
  'empty-protocols': 'encrypt protocols=',
  'empty-match': 'verify match=',
  'empty-tafile': 'verify tafile=',
  'empty-exclude': 'encrypt exclude=',
  'empty-servername': 'encrypt servername=',
  'two-ciphers': 'encrypt ciphers=high ciphers=medium',
  'two-protocols': 'encrypt protocols=TLSv1.2 protocols=TLSv1.3',
  'two-servernames': 'encrypt servername=hostname servername=nexthop',
  'two-excludes': 'encrypt exclude=MD5 exclude=RC4',
  'two-matches': 'verify match=other.test match=mx.test',
  'match-may': 'may match=x',
  'match-encrypt': 'encrypt match=x',
  'tafile-encrypt': 'encrypt tafile=/x',
  'tafile-fingerprint': 'fingerprint tafile=/x',
  'bad-servername': 'encrypt servername=bad_/name',
  'bad-reuse': 'encrypt connection_reuse=maybe',
  'reuse-twice': 'encrypt connection_reuse=yes connection_reuse=no',
  'bad-attribute': 'encrypt color=red',
  'bad-grade': 'encrypt ciphers=bogus',
  'bad-protocols': 'encrypt protocols=bogus',
  'upper-name': 'encrypt CIPHERS=high',
  commas: 'verify,match=mx.test,ciphers=high',
  colons: 'secure match=other.test:mx.test',
  'match-host': 'secure match=hostname',
  'match-nexthop': 'verify match=nexthop',
  'match-dot': 'verify match=.test',
  'match-dot-nexthop': 'verify match=dot-nexthop',
  sni: 'encrypt servername=sni.test',
  'sni-host': 'encrypt servername=hostname',
  'sni-nexthop': 'encrypt servername=nexthop',
  tls12: 'encrypt protocols=TLSv1.2',
  'not-tls13': 'encrypt protocols=!TLSv1.3',
  'at-most': 'encrypt protocols=<=TLSv1.2',
  exclude: 'encrypt exclude=AES256:CHACHA20 protocols=TLSv1.2',
  tafile: 'verify match=mx.test tafile=$dir/root.pem',
  'tafile-other': 'verify match=mx.test tafile=$dir/client.pem',
  'tafile-missing': 'verify match=mx.test tafile=/nonexistent',
  'tafile-intermediate': 'verify match=mx.test tafile=$dir/intermediate.pem',
  'no-fingerprint': 'fingerprint',
  'bad-fingerprint': 'fingerprint match=xyz',
  'half-dane': 'half-dane',
}

const key = issueCertificate({ names: ['mx.test'] }).certificate.fingerprint256
const PRINTS: Record<string, string> = {
  'print-cert': `fingerprint match=${key}`,
  'print-lower': `fingerprint match=${key.toLowerCase().replaceAll(':', '')}`,
  'print-second': `fingerprint match=00:11|${key}`,
  'print-wrong': 'fingerprint match=00:11',
}

const table = Object.entries({ ...POLICIES, ...PRINTS })
  .map(([name, policy]) => `{/^\\[${name}\\./ ${policy}}`)
  .join(' ')
const settings = {
  ...common,
  smtp_tls_policy_maps: `regexp:{ ${table} }`,
  smtp_tls_fingerprint_digest: 'sha256',
}
const server: PeerOptions = { tls: { certificate: { names: ['mx.test'] } } }

export const policies: Record<string, Scenario> = {}
for (const name of Object.keys({ ...POLICIES, ...PRINTS })) {
  policies[name] = tls(name, server, { settings })
}

const parents = {
  ...common,
  smtp_tls_policy_maps: 'inline:{ {.parents.test=encrypt} {[in.parents.test]=none} {.test=may} }',
}
function child(name: string, nexthop = name): Scenario {
  return {
    servers: { $1: { tls: {} } },
    names: { [name]: { A: ['$1'] } },
    settings: parents,
    nexthop,
  }
}
export const parentDomains: Record<string, Scenario> = {
  'a sub-domain': child('one.parents.test'),
  'two levels below': child('a.two.parents.test'),
  'the domain itself': child('parents.test'),
  'in brackets': child('three.parents.test', '[three.parents.test]'),
  'in brackets, listed': child('in.parents.test', '[in.parents.test]'),
  'with a port': child('four.parents.test', 'four.parents.test:25'),
  'a table that fails': {
    servers: { $1: {} },
    settings: { smtp_tls_policy_maps: 'fail:x' },
    nexthop: '[$1]',
  },
}

/** By next-hop and by server name; `n-h`: NONE for the next-hop and so on. */
const SITES = { none: 'NONE', may: 'MAY', must: 'MUST', nomatch: 'MUST_NOPEERMATCH', odd: 'bogus' }
const siteTable = Object.entries(SITES).flatMap(([word, value]) => [
  `{/^${word}-h\\./ ${value}}`,
  `{/^mx-${word}\\./ ${value}}`,
])
const perSite = { ...common, smtp_tls_per_site: `regexp:{ ${siteTable.join(' ')} }` }

export const sites: Record<string, Scenario> = {}
for (const [site, host] of [
  ['none', 'x'],
  ['may', 'x'],
  ['must', 'x'],
  ['nomatch', 'x'],
  ['odd', 'x'],
  ['x', 'none'],
  ['x', 'must'],
  ['x', 'odd'],
  ['may', 'none'],
  ['may', 'must'],
  ['none', 'may'],
  ['none', 'must'],
  ['must', 'none'],
  ['must', 'nomatch'],
  ['nomatch', 'must'],
  ['nomatch', 'none'],
] as const) {
  for (const [globally, more] of [
    ['', {}],
    ['may', { smtp_use_tls: 'yes' }],
    ['enforce', { smtp_enforce_tls: 'yes' }],
  ] as const) {
    sites[`next-hop ${site}, host ${host}, ${globally}`] = {
      servers: { $1: server },
      names: {
        [`${site}-h.$d`]: { MX: [[10, `mx-${host}.$d`]] },
        [`mx-${host}.$d`]: { A: ['$1'] },
      },
      settings: { ...perSite, ...more },
      nexthop: `${site}-h.$d`,
    }
  }
}

sites['a table that fails'] = {
  servers: { $1: server },
  settings: { smtp_tls_per_site: 'fail:x' },
  nexthop: '[$1]',
}

function old(settings: Record<string, string>): Scenario {
  return tls('may', server, { settings: { ...common, ...settings } })
}
export const levels: Record<string, Scenario> = {
  smtp_use_tls: old({ smtp_use_tls: 'yes' }),
  smtp_enforce_tls: old({ smtp_enforce_tls: 'yes' }),
  'smtp_enforce_tls, no name': old({ smtp_enforce_tls: 'yes', smtp_tls_enforce_peername: 'no' }),
  'the level before the old ones': old({
    smtp_enforce_tls: 'yes',
    smtp_tls_security_level: 'none',
  }),
  'ciphers of a grade': old({
    smtp_tls_security_level: 'encrypt',
    smtp_tls_mandatory_ciphers: 'high',
    smtp_tls_mandatory_protocols: 'TLSv1.2',
  }),
  'protocols for may': old({ smtp_tls_security_level: 'may', smtp_tls_protocols: '!TLSv1.3' }),
  'a server name': old({ smtp_tls_security_level: 'may', smtp_tls_servername: 'hostname' }),
  'a bad server name': old({ smtp_tls_security_level: 'may', smtp_tls_servername: 'bad_/' }),
  'no match for the name': old({
    smtp_tls_security_level: 'secure',
    smtp_tls_secure_cert_match: 'a.test, b.test',
  }),
  'match of a list': old({
    smtp_tls_security_level: 'verify',
    smtp_tls_verify_cert_match: 'hostname:.test',
  }),
  'trust anchors': old({
    smtp_tls_security_level: 'verify',
    smtp_tls_verify_cert_match: 'mx.test',
    smtp_tls_CAfile: '',
    smtp_tls_trust_anchor_file: '$dir/root.pem',
  }),
  'a client certificate': {
    ...old({
      smtp_tls_security_level: 'encrypt',
      smtp_tls_chain_files: '$dir/client.pem',
    }),
    servers: { $1: { tls: { requestCert: true } } },
  },
  'note, no TLS': old({ smtp_tls_note_starttls_offer: 'yes' }),
  'note, TLS': old({ smtp_tls_note_starttls_offer: 'yes', smtp_tls_security_level: 'may' }),
  'log level 0': old({ smtp_tls_security_level: 'may', smtp_tls_loglevel: '0' }),
  'log level untrusted': old({
    smtp_tls_security_level: 'may',
    smtp_tls_loglevel: 'untrusted',
    smtp_tls_CAfile: '',
  }),
  'log level certmatch': old({
    smtp_tls_security_level: 'verify',
    smtp_tls_verify_cert_match: 'mx.test',
    smtp_tls_loglevel: 'summary, certmatch',
  }),
  'log level that is none': old({ smtp_tls_security_level: 'may', smtp_tls_loglevel: 'much' }),
  'a name in capitals': {
    ...tls('MX', server, {}),
    settings: { ...common, smtp_tls_security_level: 'may' },
  },
  wrapper: {
    ...old({ smtp_tls_security_level: 'encrypt', smtp_tls_wrappermode: 'yes' }),
    servers: { $1: { tls: { isWrapper: true } } },
  },
  'wrapper, STARTTLS offered': {
    ...old({ smtp_tls_security_level: 'encrypt', smtp_tls_wrappermode: 'yes' }),
    servers: { $1: { tls: { isWrapper: true, extensions: ['STARTTLS', 'PIPELINING'] } } },
  },
  'wrapper, not verified': {
    ...old({ smtp_tls_security_level: 'secure', smtp_tls_wrappermode: 'yes' }),
    servers: { $1: { tls: { isWrapper: true } } },
  },
  'wrapper at may': old({ smtp_tls_security_level: 'may', smtp_tls_wrappermode: 'yes' }),
  'wrapper without TLS': old({ smtp_tls_wrappermode: 'yes' }),
  'no engine, may': old({ smtp_tls_security_level: 'may', smtp_tls_cert_file: '/nonexistent' }),
  'no engine, encrypt': old({
    smtp_tls_security_level: 'encrypt',
    smtp_tls_cert_file: '/nonexistent',
  }),
}

/** LMTP: the parameters have their names, and a Unix socket has none for a certificate. */
function lmtp(settings: Record<string, string>, more: Partial<Scenario> = {}): Scenario {
  return {
    servers: { $1: { isLmtp: true, tls: {} } },
    settings: { lmtp_tls_loglevel: '1', ...settings },
    program: 'lmtp',
    nexthop: '[$1]',
    ...more,
  }
}
function unix(settings: Record<string, string>): Scenario {
  const certificate = { names: ['client.test'] }
  return lmtp(settings, {
    servers: { s: { path: '$dir/$d.sock', isLmtp: true, tls: { certificate } } },
    nexthop: 'unix:$dir/$d.sock',
  })
}
const lmtpServer = (tls: PeerOptions['tls'] = {}): Partial<Scenario> => ({
  servers: { $1: { isLmtp: true, tls: { certificate: { names: ['mx.test'] }, ...tls } } },
})
export const lmtpTls: Record<string, Scenario> = {
  'all of encrypt': lmtp(
    {
      lmtp_tls_security_level: 'encrypt',
      lmtp_tls_mandatory_protocols: 'TLSv1.2',
      lmtp_tls_mandatory_ciphers: 'high',
      lmtp_tls_mandatory_exclude_ciphers: 'AES256',
      lmtp_tls_exclude_ciphers: 'CHACHA20',
      lmtp_tls_servername: 'sni.test',
      lmtp_tls_cert_file: '$dir/client.pem',
      lmtp_starttls_timeout: '5s',
    },
    lmtpServer({ requestCert: true }),
  ),
  'all of may': lmtp(
    {
      lmtp_use_tls: 'yes',
      lmtp_tls_protocols: 'TLSv1.2',
      lmtp_tls_ciphers: 'high',
      lmtp_tls_exclude_ciphers: 'AES256',
      lmtp_tls_chain_files: '$dir/client.pem',
    },
    lmtpServer({ requestCert: true }),
  ),
  'all of verify': lmtp(
    {
      lmtp_enforce_tls: 'yes',
      lmtp_tls_verify_cert_match: 'mx.test',
      lmtp_tls_trust_anchor_file: '$dir/root.pem',
    },
    lmtpServer(),
  ),
  'all of secure': lmtp(
    {
      lmtp_tls_policy_maps: 'static:secure',
      lmtp_tls_secure_cert_match: 'mx.test',
      lmtp_tls_CAfile: '$dir/root.pem',
    },
    lmtpServer(),
  ),
  'a chain that is too long': lmtp(
    {
      lmtp_tls_security_level: 'secure',
      lmtp_tls_secure_cert_match: 'mx.test',
      lmtp_tls_CAfile: '$dir/root.pem',
      lmtp_tls_scert_verifydepth: '-1',
    },
    lmtpServer(),
  ),
  'all of fingerprint': lmtp(
    {
      lmtp_tls_per_site: 'static:NONE',
      lmtp_tls_policy_maps: 'static:fingerprint',
      lmtp_tls_fingerprint_digest: 'sha256',
      lmtp_tls_fingerprint_cert_match: key,
    },
    lmtpServer(),
  ),
  'by site': lmtp(
    {
      lmtp_tls_per_site: 'static:MUST',
      lmtp_enforce_tls: 'yes',
      lmtp_tls_enforce_peername: 'no',
    },
    { names: { 'mx.$d': { A: ['$1'] } }, nexthop: '[mx.$d]' },
  ),
  'by address': lmtp({ lmtp_tls_security_level: 'verify' }),
  wrapper: lmtp(
    { lmtp_tls_security_level: 'encrypt', lmtp_tls_wrappermode: 'yes' },
    lmtpServer({ isWrapper: true }),
  ),
  note: lmtp({ lmtp_tls_note_starttls_offer: 'yes' }),
  'kept by tlsproxy': lmtp(
    { lmtp_tls_security_level: 'encrypt', lmtp_tls_connection_reuse: 'yes' },
    {
      times: 2,
      isSingle: true,
      request: {
        flags:
          DELIVERY_FLAGS.success | DELIVERY_FLAGS.connectionLoad | DELIVERY_FLAGS.connectionStore,
      },
    },
  ),
  may: lmtp({ lmtp_tls_security_level: 'may' }),
  encrypt: lmtp({ lmtp_tls_security_level: 'encrypt' }),
  'Unix socket, may': unix({ lmtp_tls_security_level: 'may' }),
  'Unix socket, encrypt': unix({ lmtp_tls_security_level: 'encrypt' }),
  'Unix socket, secure': unix({
    lmtp_tls_security_level: 'secure',
    lmtp_tls_CAfile: '$dir/root.pem',
  }),
  'Unix socket, dane': unix({
    lmtp_tls_security_level: 'dane',
    lmtp_dns_support_level: 'dnssec',
  }),
  'Unix socket, by path': unix({ lmtp_tls_policy_maps: 'inline:{ {$dir/$d.sock=encrypt} }' }),
}
