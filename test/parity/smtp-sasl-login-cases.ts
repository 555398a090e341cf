/**
 * smtp-sasl-login-cases - smtp(8) and lmtp(8) say who they are: credentials, what a connection gives, what becomes of the mail
 */
import type { PeerOptions, Script } from '@posthorn/testing/scripted-peer'
import { challenge, digestServer, plainServer, scramServer } from './sasl-server.ts'
import { asking, lax, no, offering } from './smtp-sasl-cases.ts'
import type { Scenario } from './smtp-scenario.ts'

/** Table of sender-dependent credentials; the key is the user. */
const bySender = {
  ...lax,
  smtp_sender_dependent_authentication: 'yes',
  recipient_delimiter: '+',
  mydestination: 'local.test',
  smtp_sasl_password_maps:
    'inline:{ {full+ext@x.test=full:} {bare@x.test=bare:} {@dom.test=domain:} {me=local:} {$1=host:} }',
}
const byName = {
  ...lax,
  smtp_sasl_password_maps: 'inline:{ {from@example.test=sender:} {[$1]:25=port:} {[$2]=bracket:} }',
}

function from(sender: string): Scenario {
  return offering('PLAIN', no, { settings: bySender, sender })
}

/** A host with two names. */
function byAlias(program: 'smtp' | 'lmtp', isOverridden: boolean): Scenario {
  return {
    ...offering(''),
    program,
    settings: {
      [`${program}_sasl_auth_enable`]: 'yes',
      [`${program}_sasl_security_options`]: '',
      [`${program}_sasl_password_maps`]: 'regexp:{ {/^alias/ alias:} {/^real/ real:} }',
      [`${program}_cname_overrides_servername`]: isOverridden ? 'yes' : 'no',
    },
    names: { 'alias.$d': { CNAME: 'real.$d' }, 'real.$d': { A: ['$1'] } },
    servers: { $1: { extensions: ['AUTH PLAIN'], replies: no } },
    nexthop: '[alias.$d]',
  }
}

export const credentials: Record<string, Scenario> = {
  'by sender': from('full+ext@x.test'),
  'by sender without extension': from('bare+ext@x.test'),
  'by domain of the sender': from('any@dom.test'),
  'by local part of a sender of ours': from('me+ext@local.test'),
  'by host, for an unknown sender': from('any@x.test'),
  'by host, for the null sender': from(''),
  'by next-hop with port': offering('PLAIN', no, { settings: byName, nexthop: '[$1]:25' }),
  'not by next-hop without port': offering('PLAIN', no, { settings: byName, nexthop: '[$1]' }),
  'by name of the host': byAlias('smtp', false),
  'by the real name of the host': byAlias('smtp', true),
  'by name of the host, LMTP': byAlias('lmtp', false),
  'by the real name of the host, LMTP': byAlias('lmtp', true),
  'without colon': offering(
    'PLAIN',
    { AUTH: '235 ok' },
    {
      settings: { ...lax, smtp_sasl_password_maps: 'static:user' },
    },
  ),
  'with two colons': offering(
    'PLAIN',
    { AUTH: '235 ok' },
    {
      settings: { ...lax, smtp_sasl_password_maps: 'static:user:a:b' },
    },
  ),
  'without user': offering(
    'PLAIN',
    { AUTH: '235 ok' },
    {
      settings: { ...lax, smtp_sasl_password_maps: 'static::pass' },
    },
  ),
  'too long for one line': offering('PLAIN', asking('PLAIN', '334 ', '235 ok'), {
    settings: { ...lax, smtp_sasl_password_maps: `static:user:${'p'.repeat(367)}` },
  }),
  'too long for one line, and asked first': offering(
    'PLAIN',
    asking('PLAIN', challenge('Who are you?')),
    {
      settings: { ...lax, smtp_sasl_password_maps: `static:user:${'p'.repeat(367)}` },
    },
  ),
  'as long as one line takes': offering(
    'PLAIN',
    { AUTH: '235 ok' },
    {
      settings: { ...lax, smtp_sasl_password_maps: `static:user:${'p'.repeat(366)}` },
    },
  ),
  'a table that fails': offering('PLAIN', no, {
    settings: { ...lax, smtp_sasl_password_maps: 'fail:x' },
  }),
  'the authorization identity, too': offering('PLAIN', no, {
    settings: { ...lax, send_cyrus_sasl_authzid: 'yes' },
  }),
  'the authorization identity, too, SCRAM': offering('SCRAM-SHA-1', scramServer('sha1'), {
    settings: { ...lax, send_cyrus_sasl_authzid: 'yes' },
  }),
  'the authorization identity, too, DIGEST': offering('DIGEST-MD5', digestServer(), {
    settings: { ...lax, send_cyrus_sasl_authzid: 'yes' },
  }),
  'MAIL with AUTH=<>': offering('PLAIN', plainServer(), {
    settings: { ...lax, smtp_send_dummy_mail_auth: 'yes' },
  }),
  'MAIL without AUTH=<>, where nobody authenticated': offering('PLAIN', plainServer(), {
    settings: {
      ...lax,
      smtp_send_dummy_mail_auth: 'yes',
      smtp_sasl_password_maps: 'inline:{x=y}',
    },
  }),
  'paths of a library': offering('PLAIN', plainServer(), {
    settings: { ...lax, smtp_sasl_path: '/nonexistent', cyrus_sasl_config_path: '/nonexistent' },
  }),
}

const hard = { ...lax, smtp_sasl_auth_soft_bounce: 'no' }
const lmtp = {
  lmtp_sasl_auth_enable: 'yes',
  lmtp_sasl_password_maps: 'static:user:pass',
  lmtp_sasl_security_options: '',
}
const asLmtp = { program: 'lmtp', settings: lmtp } as const

export const outcomes: Record<string, Scenario> = {
  'hard, wrong': offering('PLAIN', no, { settings: hard }),
  'hard, not now': offering('PLAIN', { AUTH: '454 4.7.0 later' }, { settings: hard }),
  'hard, but soft_bounce': offering('PLAIN', no, { settings: { ...hard, soft_bounce: 'yes' } }),
  'the postmaster wants to know': offering('LOGIN', asking('LOGIN', '334 ', '535 5.7.8 no'), {
    settings: { ...lax, notify_classes: 'protocol' },
  }),
  'the postmaster gets a transcript': offering(
    'PLAIN',
    { ...plainServer(), MAIL: '500 5.5.1 what' },
    { settings: { ...lax, notify_classes: 'protocol' } },
  ),
  'LMTP, right': offering('PLAIN', plainServer(), asLmtp),
  'LMTP, wrong': offering('PLAIN', plainServer('other'), asLmtp),
  'LMTP, DIGEST-MD5': offering('DIGEST-MD5', digestServer(), asLmtp),
  'LMTP, no plaintext by default': offering('PLAIN', plainServer(), {
    ...asLmtp,
    settings: {
      lmtp_sasl_auth_enable: 'yes',
      lmtp_sasl_password_maps: 'static:user:pass',
    },
  }),
  // a socket has our name
  'LMTP over a socket': {
    ...offering(''),
    ...asLmtp,
    settings: { ...lmtp, lmtp_sasl_password_maps: 'inline:{client.test=user:pass}' },
    servers: {
      unix: {
        path: '$dir/sasl',
        extensions: ['AUTH DIGEST-MD5'],
        replies: digestServer('pass', undefined, 'nonce="x",algorithm=md5-sess'),
      },
    },
    nexthop: 'unix:$dir/sasl',
  },
  'LMTP over a socket, by its path': {
    ...offering(''),
    ...asLmtp,
    settings: {
      ...lmtp,
      lmtp_sasl_password_maps: 'inline:{$dir/sasl2=path:, unix:$dir/sasl2=uri:}',
    },
    servers: { unix: { path: '$dir/sasl2', extensions: ['AUTH PLAIN'], replies: no } },
    nexthop: 'unix:$dir/sasl2',
  },
  'LMTP, by inet:': {
    ...offering(''),
    ...asLmtp,
    settings: {
      ...lmtp,
      lmtp_sasl_password_maps: 'inline:{ {inet:[$1]:24=inet:} {[$1]:24=bracket:} }',
    },
    servers: { $1: { extensions: ['AUTH PLAIN'], replies: no } },
    nexthop: 'inet:[$1]:24',
  },
  'LMTP, filter': offering('PLAIN LOGIN', no, {
    ...asLmtp,
    settings: { ...lmtp, lmtp_sasl_mechanism_filter: 'login', lmtp_sasl_path: '/nonexistent' },
  }),
  'LMTP, hard': offering('PLAIN', no, {
    ...asLmtp,
    settings: { ...lmtp, lmtp_sasl_auth_soft_bounce: 'no' },
  }),
  'LMTP, AUTH=<>': offering('PLAIN', plainServer(), {
    ...asLmtp,
    settings: { ...lmtp, lmtp_send_dummy_mail_auth: 'yes' },
  }),
}

/** What is asked of a mechanism depends on what the connection gives: here the strongest, a better one, any. */
function underTls(level: string, program: 'smtp' | 'lmtp', words: string): Scenario {
  const parameters = {
    sasl_auth_enable: 'yes',
    sasl_password_maps: 'static:user:pass',
    sasl_security_options: 'mutual_auth',
    sasl_tls_security_options: 'noplaintext',
    sasl_tls_verified_security_options: 'noanonymous',
    tls_CAfile: '$dir/root.pem',
    tls_security_level: level,
    tls_secure_cert_match: 'mx.example.test',
  }
  const settings = Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [`${program}_${name}`, value]),
  )
  const peer: PeerOptions = {
    extensions: [`AUTH ${words}`],
    replies: no,
    tls: { certificate: { names: ['mx.example.test'] } },
  }
  return { ...offering(''), settings, program, servers: { $1: peer } }
}

export const security: Record<string, Scenario> = Object.fromEntries(
  (['smtp', 'lmtp'] as const).flatMap((program) =>
    ['none', 'encrypt', 'secure'].flatMap((level) =>
      ['LOGIN', 'LOGIN CRAM-MD5', 'LOGIN CRAM-MD5 DIGEST-MD5'].map((words) => [
        `${program}, ${level}, ${words}`,
        underTls(level, program, words),
      ]),
    ),
  ),
)

// braces: $d is the scenario's domain
const cached = { ...lax, smtp_sasl_auth_cache_name: 'proxy:btree:${data_directory}/sasl_cache' }

const slowly: Script = { ...no, QUIT: { text: '221 2.0.0 Bye', delayMs: 2100 } }

/** The table must be among proxy_write_maps. */
export const caches: Record<string, Scenario> = {
  'asked once': offering('PLAIN', no, { settings: cached, times: 3 }),
  'asked once, hard': offering(
    'PLAIN',
    { AUTH: '535-5.7.8 no\r\n535 5.7.8 never' },
    {
      settings: { ...cached, smtp_sasl_auth_soft_bounce: 'no' },
      times: 2,
    },
  ),
  'asked once, LMTP': offering('PLAIN', no, {
    ...asLmtp,
    settings: { ...lmtp, lmtp_sasl_auth_cache_name: cached.smtp_sasl_auth_cache_name },
    times: 2,
  }),
  // the reply to QUIT is waited for: the second delivery comes after that
  'asked again when that is long ago': offering('PLAIN', slowly, {
    settings: { ...cached, smtp_sasl_auth_cache_time: '1s' },
    times: 2,
  }),
  'asked again when that is long ago, LMTP': offering('PLAIN', slowly, {
    ...asLmtp,
    settings: {
      ...lmtp,
      lmtp_sasl_auth_cache_name: cached.smtp_sasl_auth_cache_name,
      lmtp_sasl_auth_cache_time: '1s',
    },
    times: 2,
  }),
  'not for other replies': offering(
    'PLAIN',
    { AUTH: '454 4.7.0 later' },
    {
      settings: cached,
      times: 2,
    },
  ),
}
