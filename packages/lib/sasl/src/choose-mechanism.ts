/**
 * choose-mechanism - the best mechanism that a server offers and the security options allow
 *
 * The order is that of the library behind the real smtp(8). The two for OAuth tokens come last: nothing tells a token from a
 * password, and a server that takes both is more often given a password. smtp_sasl_mechanism_filter chooses them.
 * Source: Postfix 3.7 SASL_README, smtp_sasl_security_options.
 */
import { CramMd5 } from './cram-md5.ts'
import { DigestMd5 } from './digest-md5.ts'
import { Login } from './login.ts'
import type { Credentials, Mechanism } from './mechanism.ts'
import { OAuthBearer } from './oauthbearer.ts'
import { Plain } from './plain.ts'
import { Scram, type ScramName } from './scram.ts'
import { XOAuth2 } from './xoauth2.ts'

/** What is asked of a mechanism; as in smtp_sasl_security_options. */
export const SECURITY_OPTIONS = [
  /** The password is not sent. */
  'noplaintext',
  /** Nothing is won by standing in between. */
  'noactive',
  /** Nothing is won by guessing at what was overheard. */
  'nodictionary',
  /** A later theft of the password does not open what was recorded. */
  'forward_secrecy',
  /** We are somebody. */
  'noanonymous',
  /** The server proves itself, too. */
  'mutual_auth',
] as const
export type SecurityOption = (typeof SECURITY_OPTIONS)[number]

interface Known {
  readonly name: string
  readonly has: readonly SecurityOption[]
  readonly create: (credentials: Credentials) => Mechanism
}

function scram(name: ScramName): Known {
  const has: readonly SecurityOption[] = ['noplaintext', 'noactive', 'noanonymous', 'mutual_auth']
  return { name, has, create: (credentials) => new Scram(name, credentials) }
}

/** The best first. */
const MECHANISMS: readonly Known[] = [
  scram('SCRAM-SHA-512'),
  scram('SCRAM-SHA-384'),
  scram('SCRAM-SHA-256'),
  scram('SCRAM-SHA-224'),
  scram('SCRAM-SHA-1'),
  {
    name: 'DIGEST-MD5',
    has: ['noplaintext', 'noanonymous', 'mutual_auth'],
    create: (credentials) => new DigestMd5(credentials),
  },
  {
    name: 'CRAM-MD5',
    has: ['noplaintext', 'noanonymous'],
    create: (credentials) => new CramMd5(credentials),
  },
  { name: 'PLAIN', has: ['noanonymous'], create: (credentials) => new Plain(credentials) },
  { name: 'LOGIN', has: ['noanonymous'], create: (credentials) => new Login(credentials) },
  { name: 'XOAUTH2', has: ['noanonymous'], create: (credentials) => new XOAuth2(credentials) },
  {
    name: 'OAUTHBEARER',
    has: ['noanonymous'],
    create: (credentials) => new OAuthBearer(credentials),
  },
]

/** Undefined: the server offers none that will do. Names in any letter case. */
export function chooseMechanism(
  offered: readonly string[],
  wanted: ReadonlySet<SecurityOption>,
): ((credentials: Credentials) => Mechanism) | undefined {
  const names = new Set(offered.map((name) => name.toUpperCase()))
  return MECHANISMS.find(
    ({ name, has }) => names.has(name) && [...wanted].every((option) => has.includes(option)),
  )?.create
}
