/**
 * peer-profile - a server that is well until something is done to its replies
 */
import type { Random } from './random.ts'
import { ScramServer } from './scram-server.ts'

export const PASSWORD = 'Kennwort-1'
/** As often as here. */
export const MECHANISMS = ['PLAIN', 'LOGIN', 'PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-1'] as const

export interface PeerProfile {
  readonly isLmtp: boolean
  /** Of the reply to EHLO or LHLO. */
  readonly keywords: readonly string[]
}

const OPTIONAL = [
  '8BITMIME',
  'DSN',
  'SMTPUTF8',
  'ENHANCEDSTATUSCODES',
  'SIZE 1000000',
  'XFORWARD NAME ADDR PROTO',
]

export function randomProfile(
  isLmtp: boolean,
  mechanism: string | undefined,
  random: Random,
): PeerProfile {
  const keywords = OPTIONAL.filter(() => random.chance(0.4))
  if (random.chance(0.6)) keywords.push('PIPELINING')
  if (random.chance(0.6)) keywords.push('CHUNKING')
  if (mechanism !== undefined) keywords.push(`AUTH ${mechanism}`)
  return { isLmtp, keywords }
}

/** The good replies of one connection. */
export class WellServer {
  readonly #profile: PeerProfile
  #scram: ScramServer | undefined
  /** What the client's next lines are, where they are no commands. */
  #auth: ((line: string) => string)[] = []

  constructor(profile: PeerProfile) {
    this.#profile = profile
  }

  /** To a command line, '' for the opening, '.' for a text; with its CRLF. */
  reply(request: string): string {
    const answer = this.#auth.shift()
    return `${answer === undefined ? this.#toCommand(request) : answer(request)}\r\n`
  }

  #toCommand(request: string): string {
    if (request === '') return '220 peer.test ESMTP'
    if (request === '.') return '250 2.0.0 Ok: queued as 4711'
    const [verb = ''] = request.toUpperCase().split(' ', 1)
    if (verb === 'EHLO' || verb === 'LHLO') return this.#hello
    if (verb === 'AUTH') return this.#authenticate(request)
    if (verb === 'DATA') return '354 End data with <CR><LF>.<CR><LF>'
    if (verb === 'QUIT') return '221 2.0.0 Bye'
    return '250 2.1.0 Ok'
  }

  get #hello(): string {
    const lines = ['peer.test', ...this.#profile.keywords]
    return lines.map((line, at) => `250${at === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n')
  }

  #authenticate(request: string): string {
    const [, mechanism = '', initial = ''] = request.split(' ')
    const done = (): string => '235 2.7.0 Authentication successful'
    switch (mechanism) {
      case 'LOGIN':
        this.#auth = [() => challenge('Password:'), done]
        return challenge('Username:')
      case 'CRAM-MD5':
        this.#auth = [done]
        return challenge('<1.2@peer.test>')
      case 'SCRAM-SHA-1': {
        this.#scram ??= new ScramServer(PASSWORD)
        const scram = this.#scram
        this.#auth = [(line) => challenge(scram.signature(decode(line))), done]
        return challenge(scram.challenge(decode(initial)))
      }
      default:
        return done()
    }
  }
}

function challenge(text: string): string {
  return `334 ${Buffer.from(text, 'latin1').toString('base64')}`
}

function decode(line: string): string {
  return Buffer.from(line, 'base64').toString('latin1')
}
