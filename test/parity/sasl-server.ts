/**
 * sasl-server - the server's side of SASL mechanisms, as scripts for a scripted peer
 *
 * Each checks what the client proves, and says 235 or 535 5.7.8. Written from the documents, not with @posthorn/sasl: RFC 4616
 * (PLAIN), RFC 2195 (CRAM-MD5), RFC 2831 (DIGEST-MD5), RFC 5802 (SCRAM). A script keeps no state: what a session has said so
 * far is in its commands.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import type { PeerSession, Reply, Script } from '@posthorn/testing/scripted-peer'

export const USER = 'user'
export const PASSWORD = 'pass'
const SALT = 'QSXCR+Q6sek8bf92'
const ITERATIONS = 4096
const NO = '535 5.7.8 Authentication credentials invalid'
const YES = '235 2.7.0 Authentication successful'

export function challenge(octets: string): string {
  return `334 ${Buffer.from(octets, 'latin1').toString('base64')}`
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1')
}

function verdict(isRight: boolean): string {
  return isRight ? YES : NO
}

/** What the client has said since AUTH, decoded; the initial response first. */
function said(session: PeerSession): string[] {
  const start = session.commands.findLastIndex((line) => line.startsWith('AUTH '))
  const [auth = '', ...rest] = session.commands.slice(start)
  return [auth.split(' ')[2] ?? '', ...rest].map(decode)
}

export function plainServer(password = PASSWORD): Script {
  return { 'AUTH PLAIN': (line) => verdict(decode(line.slice(11)) === `\0${USER}\0${password}`) }
}

export function loginServer(password = PASSWORD): Script {
  return {
    'AUTH LOGIN': challenge('Username:'),
    '334 ': (_line, session) => {
      const [, user, secret] = said(session)
      if (secret === undefined) return challenge('Password:')
      return verdict(user === USER && secret === password)
    },
  }
}

export function cramServer(password = PASSWORD): Script {
  const text = '<1896.697170952@peer.test>'
  const digest = createHmac('md5', password).update(text).digest('hex')
  return {
    'AUTH CRAM-MD5': challenge(text),
    '334 ': (_line, session) => verdict(said(session)[1] === `${USER} ${digest}`),
  }
}

const md5 = (octets: string, form: 'latin1' | 'hex'): string =>
  createHash('md5').update(octets, 'latin1').digest().toString(form)

/** `prove` makes the reply to a client that is right from the rspauth that is right. */
export function digestServer(
  password = PASSWORD,
  prove = (proof: string): Reply => challenge(`rspauth=${proof}`),
  directives = 'realm="elwood",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8',
): Script {
  return {
    'AUTH DIGEST-MD5': challenge(directives),
    '334 ': (_line, session) => {
      const [, answer = '', ...rest] = said(session)
      if (rest.length > 0) return YES
      const field = (name: string): string =>
        new RegExp(`\\b${name}="?([^",]*)`).exec(answer)?.[1] ?? ''
      const secret = md5(`${USER}:${field('realm')}:${password}`, 'latin1')
      const key = md5(`${secret}:${field('nonce')}:${field('cnonce')}`, 'hex')
      const sign = (verb: string): string => {
        const uri = md5(`${verb}:${field('digest-uri')}`, 'hex')
        return md5(`${key}:${field('nonce')}:00000001:${field('cnonce')}:auth:${uri}`, 'hex')
      }
      return field('response') === sign('AUTHENTICATE') ? prove(sign('')) : NO
    },
  }
}

/** As for digestServer(); `begin` makes the first message of the server from the client's nonce. */
export function scramServer(
  hash: string,
  password = PASSWORD,
  prove = (proof: string): Reply => challenge(`v=${proof}`),
  begin = (nonce: string): string => `r=${nonce}3rfcNHYJY1ZVvWVs7j,s=${SALT},i=${ITERATIONS}`,
): Script {
  const first = (initial: string): string => begin(/,r=([^,]*)$/.exec(initial)?.[1] ?? '')
  const hmac = (key: Buffer, text: string): Buffer => createHmac(hash, key).update(text).digest()
  return {
    'AUTH SCRAM-': (line) => challenge(first(decode(line.split(' ')[2] ?? ''))),
    '334 ': (_line, session) => {
      const [initial = '', answer = '', ...rest] = said(session)
      if (rest.length > 0) return YES
      const [, final = '', proof = ''] = /^(.*),p=(.*)$/.exec(answer) ?? []
      const length = createHash(hash).digest().length
      const salted = pbkdf2Sync(password, Buffer.from(SALT, 'base64'), ITERATIONS, length, hash)
      const message = `${initial.replace(/^n,[^,]*,/, '')},${first(initial)},${final}`
      const clientKey = hmac(salted, 'Client Key')
      const signature = hmac(createHash(hash).update(clientKey).digest(), message)
      const expected = clientKey.map((octet, at) => octet ^ (signature[at] ?? 0))
      if (proof !== Buffer.from(expected).toString('base64')) return NO
      return prove(hmac(hmac(salted, 'Server Key'), message).toString('base64'))
    },
  }
}

/** The words of a dialogue in the clear, without what is random in them. */
export function withoutNonces(received: string): string {
  return received.replace(
    /^(AUTH \S+ )?([A-Za-z0-9+/]{8,}={0,2})(?=\r$)/gm,
    (whole, command = '', token: string) => {
      const text = decode(token)
      if (Buffer.from(text, 'latin1').toString('base64') !== token || !/^[\0-\x7f]+$/.test(text)) {
        return whole
      }
      const plain = text
        .replace(/\b(r|p|response)=[^,]+/g, '$1=RANDOM')
        .replace(/cnonce="[^"]*"/, 'cnonce=RANDOM')
      return `${command}<${plain}>`
    },
  )
}
