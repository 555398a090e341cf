/**
 * smtp-sasl-cases - smtp(8) says who it is: mechanisms, and which one is chosen
 *
 * What is random in the dialogue is checked by the server, and masked before both systems are compared.
 */
import type { PeerOptions, Reply, Script } from '@posthorn/testing/scripted-peer'
import {
  challenge,
  cramServer,
  digestServer,
  loginServer,
  plainServer,
  scramServer,
  withoutNonces,
} from './sasl-server.ts'
import type { Scenario } from './smtp-scenario.ts'

const enabled = { smtp_sasl_auth_enable: 'yes', smtp_sasl_password_maps: 'static:user:pass' }
/** No security options: every mechanism will do. */
export const lax = { ...enabled, smtp_sasl_security_options: '' }

const ALL =
  'LOGIN PLAIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-384 SCRAM-SHA-512 SCRAM-SHA-224'

/** Why a mechanism was given up is said in words of the library on one side, and in ours on the other. */
function allow(line: string): string {
  return line.replace(/(SASL authentication) (?:failure|problem): .*/, '$1: WHY')
}

export function offering(
  words: string,
  replies: Script = {},
  more: Partial<Scenario> = {},
): Scenario {
  const peer: PeerOptions = { extensions: [`AUTH ${words}`], replies }
  const scenario = { nexthop: '[$1]', settings: lax, servers: { $1: peer } }
  return { ...scenario, allow, allowSent: withoutNonces, ...more }
}

export const no = { AUTH: '535 5.7.8 no' }

/** A server that asks on, whatever it is told. */
export function asking(mechanism: string, ...questions: Reply[]): Script {
  return { [`AUTH ${mechanism}`]: questions[0] ?? '334 ', '334 ': questions.slice(1) }
}

export const mechanisms: Record<string, Scenario> = {
  'PLAIN, right': offering('PLAIN', plainServer()),
  'PLAIN, wrong': offering('PLAIN', plainServer('other')),
  'PLAIN, asked once more': offering('PLAIN', asking('PLAIN', '334 ')),
  'LOGIN, right': offering('LOGIN', loginServer()),
  'LOGIN, wrong': offering('LOGIN', loginServer('other')),
  'LOGIN, nothing is asked in words': offering('LOGIN', asking('LOGIN', '334 ', '334', '235 ok')),
  'LOGIN, asked once more': offering('LOGIN', asking('LOGIN', '334 ')),
  'LOGIN, content with the name': offering('LOGIN', asking('LOGIN', '334 ', '235 ok')),
  'LOGIN, another code of success to go on': offering('LOGIN', asking('LOGIN', '354 ', '254 ok')),
  'LOGIN, question of two lines': offering(
    'LOGIN',
    asking('LOGIN', '334-VXNlcm5hbWU6\r\n334 VXNlcm5hbWU6'),
  ),
  'CRAM-MD5, right': offering('CRAM-MD5', cramServer()),
  'CRAM-MD5, wrong': offering('CRAM-MD5', cramServer('other')),
  'CRAM-MD5, empty challenge': offering('CRAM-MD5', asking('CRAM-MD5', '334 ', '235 ok')),
  'CRAM-MD5, two challenges': offering('CRAM-MD5', asking('CRAM-MD5', challenge('<a@b>'))),
  'DIGEST-MD5, right': offering('DIGEST-MD5', digestServer()),
  'DIGEST-MD5, wrong': offering('DIGEST-MD5', digestServer('other')),
  'DIGEST-MD5, proof in quotes': offering(
    'DIGEST-MD5',
    digestServer('pass', (proof) => challenge(`rspauth="${proof}"`)),
  ),
  'DIGEST-MD5, server without realm': offering(
    'DIGEST-MD5',
    digestServer('pass', undefined, 'nonce="x",algorithm=md5-sess'),
  ),
  'DIGEST-MD5, two realms, and more words': offering(
    'DIGEST-MD5',
    digestServer('pass', undefined, 'realm="a",realm="b",nonce="x",algorithm=md5-sess,frob=1'),
  ),
  'DIGEST-MD5, server without nonce': offering(
    'DIGEST-MD5',
    digestServer('pass', undefined, 'realm="a",algorithm=md5-sess'),
  ),
  'DIGEST-MD5, server wants encryption': offering(
    'DIGEST-MD5',
    digestServer('pass', undefined, 'realm="a",nonce="x",algorithm=md5-sess,qop="auth-conf"'),
  ),
  'DIGEST-MD5, no list of directives': offering('DIGEST-MD5', digestServer('', undefined, 'hello')),
  'DIGEST-MD5, server proves nothing': offering(
    'DIGEST-MD5',
    digestServer('pass', () => challenge(`rspauth=${'0'.repeat(32)}`)),
  ),
  'DIGEST-MD5, changed its mind': offering(
    'DIGEST-MD5',
    digestServer('pass', () => '535 5.7.8 no'),
  ),
  'SCRAM-SHA-1, right': offering('SCRAM-SHA-1', scramServer('sha1')),
  'SCRAM-SHA-1, wrong': offering('SCRAM-SHA-1', scramServer('sha1', 'other')),
  'SCRAM-SHA-256, right': offering('SCRAM-SHA-256', scramServer('sha256')),
  'SCRAM-SHA-256, wrong': offering('SCRAM-SHA-256', scramServer('sha256', 'other')),
  'SCRAM-SHA-512, right': offering('SCRAM-SHA-512', scramServer('sha512')),
  "SCRAM-SHA-1, somebody else's nonce": offering(
    'SCRAM-SHA-1',
    scramServer('sha1', 'pass', undefined, () => 'r=abc,s=QSXCR+Q6sek8bf92,i=4096'),
  ),
  'SCRAM-SHA-1, server proves nothing': offering(
    'SCRAM-SHA-1',
    scramServer('sha1', 'pass', () => challenge('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=')),
  ),
  'SCRAM-SHA-1, server ends with an error': offering(
    'SCRAM-SHA-1',
    scramServer('sha1', 'pass', () => challenge('e=invalid-proof')),
  ),
  'DIGEST-MD5, content without a proof': offering(
    'DIGEST-MD5',
    digestServer('pass', () => '235 2.7.0 ok'),
  ),
  'SCRAM-SHA-1, content without a proof': offering(
    'SCRAM-SHA-1',
    scramServer('sha1', 'pass', () => '235 2.7.0 ok'),
  ),
  'not now': offering('LOGIN', asking('LOGIN', '334 ', '454 4.7.0 later')),
  'not at all': offering('LOGIN', asking('LOGIN', '534 5.7.9 too weak')),
  'a reply of two lines, without enhanced code': offering('LOGIN', { AUTH: '535-no\r\n535 no' }),
  'hangs up at once': offering('LOGIN', asking('LOGIN', { close: true })),
  'hangs up later': offering('LOGIN', asking('LOGIN', '334 ', { close: true })),
  'reply that means nothing': offering('LOGIN', { AUTH: '999 hello' }),
  'next host': {
    ...offering(''),
    nexthop: '$d',
    names: { $d: { MX: [[10, 'mx.$d']] }, 'mx.$d': { A: ['$1', '$2'] } },
    servers: {
      $1: { extensions: ['AUTH LOGIN'], replies: no },
      $2: { extensions: ['AUTH LOGIN'], replies: loginServer() },
    },
  },
}

export const choices: Record<string, Scenario> = {
  'all offered': offering(ALL, no),
  'the last ones first': offering(ALL.split(' ').reverse().join(' '), no),
  'DIGEST-MD5 before CRAM-MD5': offering('CRAM-MD5 DIGEST-MD5 LOGIN PLAIN', no),
  'CRAM-MD5 before PLAIN': offering('PLAIN LOGIN CRAM-MD5', no),
  'PLAIN before LOGIN': offering('LOGIN PLAIN', no),
  'a form of old servers': {
    ...offering(''),
    servers: { $1: { extensions: ['AUTH=LOGIN'], replies: loginServer() } },
  },
  'offered twice': {
    ...offering(''),
    servers: { $1: { extensions: ['AUTH LOGIN', 'AUTH=PLAIN LOGIN', 'AUTH LOGIN'], replies: no } },
  },
  'no words': { ...offering(''), servers: { $1: { extensions: ['AUTH'] } } },
  'nothing that we know': offering('FOO BAR'),
  'not offered': { ...offering(''), servers: { $1: { extensions: ['8BITMIME'] } } },
  'no plaintext by default': offering('PLAIN LOGIN', no, { settings: enabled }),
  'no plaintext, but CRAM-MD5': offering('PLAIN LOGIN CRAM-MD5', no, { settings: enabled }),
  'server must prove itself': offering('PLAIN CRAM-MD5 DIGEST-MD5', no, {
    settings: { ...enabled, smtp_sasl_security_options: 'mutual_auth' },
  }),
  'noactive leaves SCRAM': offering('DIGEST-MD5 SCRAM-SHA-1', no, {
    settings: { ...enabled, smtp_sasl_security_options: 'noactive' },
  }),
  'nodictionary, forward_secrecy leave nothing': offering(ALL, no, {
    settings: { ...enabled, smtp_sasl_security_options: 'nodictionary, forward_secrecy' },
  }),
  filtered: offering(ALL, no, { settings: { ...lax, smtp_sasl_mechanism_filter: 'plain, login' } }),
  'filtered by what is not wanted': offering('PLAIN LOGIN CRAM-MD5', no, {
    settings: { ...lax, smtp_sasl_mechanism_filter: '!cram-md5, static:rest' },
  }),
  'nothing left by the filter': offering('LOGIN CRAM-MD5', no, {
    settings: { ...lax, smtp_sasl_mechanism_filter: 'plain' },
  }),
  'nothing left by the filter, and nothing to say': offering('LOGIN', no, {
    settings: {
      ...lax,
      smtp_sasl_mechanism_filter: 'plain',
      smtp_sasl_password_maps: 'inline:{x=y}',
    },
  }),
}
