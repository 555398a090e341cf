/**
 * digest-md5 - DIGEST-MD5 (RFC 2831), authentication only
 *
 *     S: realm="elwood.example",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8
 *     C: username="chris",realm="elwood.example",nonce=...,cnonce=...,nc=00000001,qop=auth,digest-uri="smtp/host",response=HEX
 *     S: rspauth=HEX
 *     C:
 *
 * Historic since RFC 6331, and still met. Both sides prove that they know the password. Security layers (auth-int,
 * auth-conf) are not for SMTP, where TLS does that.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { requireUser, SaslError, type Credentials } from './mechanism.ts'
import { MutualMechanism } from './mutual-mechanism.ts'

/** RFC 2831 2.1.1 */
const CHALLENGE_LIMIT = 2048

export class DigestMd5 extends MutualMechanism<string> {
  readonly name = 'DIGEST-MD5'
  readonly #credentials: Credentials
  readonly #cnonce: string
  #expected = ''

  /** `cnonce` is for tests. */
  constructor(credentials: Credentials, cnonce = randomBytes(24).toString('base64')) {
    super()
    this.#credentials = credentials
    this.#cnonce = cnonce
  }

  initial(): string | undefined {
    return undefined
  }

  protected prove(challenge: string): string {
    requireUser(this.#credentials)
    if (challenge === '') throw unusable('no challenge')
    if (challenge.length > CHALLENGE_LIMIT) throw unusable('a challenge of too many octets')
    const directives = parseDirectives(challenge)
    const nonce = directives.get('nonce')?.at(-1)
    if (nonce === undefined) throw unusable('a challenge without nonce')
    if (directives.get('algorithm')?.join() !== 'md5-sess') {
      throw unusable('a challenge with another algorithm than md5-sess')
    }
    const qualities = directives.get('qop')?.flatMap((list) => list.split(/[\s,]+/))
    if (qualities?.includes('auth') === false) throw unusable('a server that demands encryption')
    this.#requireUtf8(directives.get('charset'))
    return this.#response(nonce, directives.get('realm') ?? [])
  }

  /** RFC 2831 2.1.1: there is no other value. */
  #requireUtf8(charset: readonly string[] | undefined): void {
    if (charset === undefined || charset.at(-1)?.toLowerCase() === 'utf-8') return
    throw malformed(`charset ${charset.join(' ')}`)
  }

  #response(nonce: string, realms: readonly string[]): string {
    const { user, password, host, service } = this.#credentials
    // RFC 2831 2.1.2: one of the server's realms; where that leaves a choice, the server itself
    const realm = realms.length === 1 ? (realms[0] ?? '') : host
    const uri = `${service}/${host}`
    const count = '00000001'
    // 2.1.2.1: the authorization identity is ours already
    const start = md5(`${hashed(user)}:${hashed(realm)}:${hashed(password)}`)
    const key = md5Hex(`${start}:${nonce}:${this.#cnonce}`)
    const sign = (a2: string): string =>
      md5Hex(`${key}:${nonce}:${count}:${this.#cnonce}:auth:${md5Hex(a2)}`)
    this.#expected = sign(`:${uri}`)
    return [
      ...(isAscii(user + realm) ? [] : ['charset=utf-8']),
      `username=${quoted(user)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `cnonce=${quoted(this.#cnonce)}`,
      `nc=${count}`,
      'qop=auth',
      `digest-uri=${quoted(uri)}`,
      `response=${sign(`AUTHENTICATE:${uri}`)}`,
    ].join(',')
  }

  protected verify(challenge: string): void {
    const proof = parseDirectives(challenge).get('rspauth')?.at(-1)
    if (proof === undefined) throw new SaslError('generic failure')
    const [given, expected] = [
      Buffer.from(proof, 'latin1'),
      Buffer.from(this.#expected, 'latin1'),
    ] as const
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new SaslError(
        'server failed mutual authentication step',
        'DIGEST-MD5: the server does not know the password',
      )
    }
  }
}

function unusable(detail: string): SaslError {
  return new SaslError('generic failure', `DIGEST-MD5: ${detail}`)
}

function malformed(detail: string): SaslError {
  return new SaslError('authentication failure', `DIGEST-MD5: ${detail}`)
}

function isAscii(octets: string): boolean {
  return /^[\0-\x7f]*$/.test(octets)
}

function md5(octets: string): string {
  return createHash('md5').update(octets, 'latin1').digest().toString('latin1')
}

function md5Hex(octets: string): string {
  return createHash('md5').update(octets, 'latin1').digest('hex')
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** RFC 2831 2.1.2.1: UTF-8 that would fit into ISO 8859-1 is hashed in that. */
function hashed(octets: string): string {
  if (isAscii(octets)) return octets
  const text = Buffer.from(octets, 'latin1').toString('utf8')
  return /^[\0-\xff]*$/.test(text) ? text : octets
}

/** RFC 2831 7.1; names in lower case. @throws {SaslError} */
function parseDirectives(text: string): Map<string, string[]> {
  const directives = new Map<string, string[]>()
  const directive =
    /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:\\[^]|[^"\\])*)"|([^\s",]*))\s*(?:,|$)/y
  const list = text.replace(/[\s,]+$/, '')
  while (directive.lastIndex < list.length) {
    const [, name, inQuotes, plain] = directive.exec(list) ?? []
    if (name === undefined) throw malformed('a challenge that is no list of directives')
    const value = inQuotes?.replace(/\\([^])/g, '$1') ?? plain ?? ''
    const key = name.toLowerCase()
    directives.set(key, [...(directives.get(key) ?? []), value])
  }
  return directives
}
