/**
 * smtp-tls-cases - TLS by level and certificate, STARTTLS that fails, and falling back to plaintext, for smtp-tls.test
 *
 * The next-hop says the policy: `[verify.$d]` has level verify, by one table for all of them, so that they share a service.
 */
import type { PeerOptions, ScriptedReply } from '@posthorn/testing/scripted-peer'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import type { Scenario } from './smtp-scenario.ts'

const LEVELS = ['may', 'encrypt', 'fingerprint', 'verify', 'secure'] as const

/** An alert: handshake_failure. node:tls as a server would not send one here. */
const ALERT: ScriptedReply = { octets: '\x15\x03\x03\x00\x02\x02\x28', close: true }

const policies = ['none', ...LEVELS].map((level) => `{/^\\[${level}\\./ ${level}}`).join(' ')

export const tlsSettings = {
  smtp_tls_policy_maps: `regexp:{ ${policies} }`,
  smtp_tls_CAfile: '$dir/root.pem',
  smtp_tls_loglevel: '1',
  smtp_tls_fingerprint_cert_match: '00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF',
  smtp_starttls_timeout: '2s',
}

/** Lines of the TLS library: the number is the same, file, line and some words are those of its release. */
export function libraryProblem(line: string): string {
  return line.replace(/(TLS library problem: error:).*?:(SSL routines):.*/, '$1...:$2')
}

/** Whether EHLO is still sent to a server that hangs up after the handshake depends on who is faster. */
export function withoutLastHello(octets: string): string {
  return octets.replace(/(\[TLS .*\r\n)EHLO client\.test\r\n$/, '$1')
}

/** Only what the server is like is left of the words about it. */
export function tls(level: string, server: PeerOptions, more: Partial<Scenario> = {}): Scenario {
  return {
    servers: { $1: { extensions: ['PIPELINING'], tls: {}, ...server } },
    names: { [`${level}.$d`]: { A: ['$1'] } },
    settings: tlsSettings,
    nexthop: `[${level}.$d]`,
    ...more,
  }
}

const CERTIFICATES: Record<string, NonNullable<PeerOptions['tls']>> = {
  good: {},
  'good, RSA': { certificate: { key: 'rsa' } },
  wildcard: { certificate: { names: ['*.$d'] } },
  'another name': { certificate: { names: ['other.test'] } },
  'common name only': { certificate: { hasCommonNameOnly: true } },
  expired: { certificate: { validity: 'expired' } },
  'not yet valid': { certificate: { validity: 'future' } },
  'self-signed': { certificate: { issuer: 'self' } },
  'of a stranger': { certificate: { issuer: 'other' } },
  'of the root': { certificate: { issuer: 'root' } },
  'without the intermediate': { certificate: { sends: 'nothing more' } },
  'for clients': { certificate: { usage: 'client' } },
}

export const certificates: Record<string, Scenario> = {}
for (const level of LEVELS) {
  for (const [what, shown] of Object.entries(CERTIFICATES)) {
    const request = shown.certificate === false ? {} : shown.certificate
    const certificate = { names: [`${level}.$d`], ...request }
    certificates[`${level}, ${what}`] = tls(level, { tls: { certificate } })
  }
}

export const startTls: Record<string, Scenario> = {
  'none, offered': tls('none', {}),
}
const REFUSALS: Record<string, PeerOptions> = {
  '454': { replies: { STARTTLS: '454 4.7.0 not today' } },
  '501': { replies: { STARTTLS: '501 5.5.4 what' } },
  '554': { replies: { STARTTLS: '554 5.7.0 never' } },
  '421': { replies: { STARTTLS: { text: '421 4.3.2 going', close: true } } },
  'a reply that makes no sense': { replies: { STARTTLS: '354 go on' } },
  'no reply to STARTTLS, closed': { replies: { STARTTLS: { close: true } } },
  'silence after STARTTLS': { replies: { STARTTLS: {} } },
  'something behind the reply': { replies: { STARTTLS: '220 go\r\n250 injected' } },
  'second EHLO refused': { replies: { EHLO: ['250-peer\r\n250 STARTTLS', '502 5.5.1 no'] } },
  'second EHLO 421': { replies: { EHLO: ['250-peer\r\n250 STARTTLS', '421 4.3.2 going'] } },
  'other extensions under TLS': {
    extensions: ['SIZE 10'],
    tls: { extensions: ['DSN', 'SIZE 999'] },
  },
  'STARTTLS again under TLS': { tls: { extensions: ['PIPELINING', 'STARTTLS'] } },
  'closed after the handshake': { replies: { secured: { close: true } } },
  'closed at MAIL under TLS': { extensions: [], replies: { MAIL: { close: true } } },
}
for (const level of ['may', 'encrypt'] as const) {
  for (const [what, server] of Object.entries(REFUSALS)) {
    startTls[`${level}, ${what}`] = tls(level, server, { allowSent: withoutLastHello })
  }
}
for (const level of LEVELS) {
  startTls[`${level}, not offered`] = {
    ...tls(level, {}),
    servers: { $1: { extensions: ['PIPELINING'] } },
  }
}

const FAULTS: Record<string, ScriptedReply> = {
  closed: { close: true },
  reset: { reset: true },
  silence: {},
}
/** The TLS library is at fault: its lines name nobody, so that each has a service of its own. */
const PROBLEMS: Record<string, ScriptedReply> = {
  alert: ALERT,
  garbage: { octets: 'what do you want from me?\r\n', close: true },
}
const old = { ageMs: 3_600_000 }
const probe = { request: { flags: DELIVERY_FLAGS.success | DELIVERY_FLAGS.mtaVerify } }

export const handshakes: Record<string, Scenario> = {}
for (const level of ['may', 'encrypt'] as const) {
  for (const [what, handshake] of Object.entries(FAULTS)) {
    const one = tls(level, { replies: { handshake } })
    handshakes[`${level}, ${what}`] = one
    handshakes[`${level}, ${what}, an old message`] = { ...one, ...old }
    handshakes[`${level}, ${what}, a probe`] = { ...one, ...probe }
  }
  for (const [what, handshake] of Object.entries(PROBLEMS)) {
    const more = level === 'may' ? old : {}
    const alone = { ...more, isAlone: true, allow: libraryProblem }
    handshakes[`${level}, ${what}`] = tls(level, { replies: { handshake } }, alone)
  }
}

/** The first of two servers is no good. */
function twoServers(level: string, first: PeerOptions, more: Partial<Scenario> = {}): Scenario {
  const second: PeerOptions = { tls: {}, extensions: ['PIPELINING'] }
  return {
    servers: { $1: { extensions: ['PIPELINING'], ...first }, $2: second },
    names: { [`${level}.$d`]: { A: ['$1', '$2'] } },
    settings: tlsSettings,
    nexthop: `[${level}.$d]`,
    ...more,
  }
}
const closed: PeerOptions = { tls: {}, replies: { handshake: { close: true } } }
export const servers: Record<string, Scenario> = {}
for (const level of ['may', 'encrypt'] as const) {
  servers[`${level}, handshake fails`] = twoServers(level, closed)
  servers[`${level}, handshake fails, an old message`] = twoServers(level, closed, old)
  servers[`${level}, not offered`] = twoServers(level, {})
  servers[`${level}, refused`] = twoServers(level, {
    tls: {},
    replies: { STARTTLS: '454 4.7.0 no' },
  })
  servers[`${level}, refused for good`] = twoServers(level, {
    tls: {},
    replies: { STARTTLS: '554 5.7.0 no' },
  })
  servers[`${level}, lost under TLS`] = twoServers(
    level,
    { tls: {}, replies: { MAIL: { close: true } }, extensions: [] },
    old,
  )
}
servers['verify, another name'] = twoServers('verify', {
  tls: { certificate: { names: ['x.test'] } },
})

handshakes['may, lost under TLS, an old message'] = tls(
  'may',
  { extensions: [], replies: { MAIL: [{ close: true }, '250 ok'] } },
  { ageMs: 3_600_000 },
)
handshakes['encrypt, lost under TLS, an old message'] = tls(
  'encrypt',
  { extensions: [], replies: { MAIL: [{ close: true }, '250 ok'] } },
  { ageMs: 3_600_000 },
)
handshakes['may, certificate of nobody, old message'] = tls(
  'may',
  { tls: { certificate: { issuer: 'other' } } },
  { ageMs: 3_600_000 },
)
