/**
 * ehlo-reply - what a server says it can do (RFC 5321 4.1.1.1, RFC 2033 4.1)
 *
 *   250-mx.example.com
 *   250-SIZE 10240000
 *   250 PIPELINING
 */
import { FEATURES } from './features.ts'

export interface EhloReply {
  /** First word of the first line: what the server calls itself. */
  serverName: string
  /** FEATURES */
  features: number
  /** 0: no limit, or none told. */
  sizeLimit: number
  /** SASL mechanisms, as offered. */
  authWords: readonly string[]
  /** The words after SIZE, when they are no number. */
  badSize?: string
}

const KEYWORDS: ReadonlyMap<string, number> = new Map([
  ['8BITMIME', FEATURES.eightBitMime],
  ['PIPELINING', FEATURES.pipelining],
  ['SIZE', FEATURES.size],
  ['STARTTLS', FEATURES.startTls],
  ['AUTH', FEATURES.auth],
  ['DSN', FEATURES.dsn],
  ['SMTPUTF8', FEATURES.smtpUtf8],
  ['CHUNKING', FEATURES.chunking],
  ['REQUIRETLS', FEATURES.requireTls],
])

const XFORWARD_WORDS: ReadonlyMap<string, number> = new Map([
  ['NAME', FEATURES.xforwardName],
  ['ADDR', FEATURES.xforwardAddress],
  ['PORT', FEATURES.xforwardPort],
  ['PROTO', FEATURES.xforwardProtocol],
  ['HELO', FEATURES.xforwardHelo],
  ['IDENT', FEATURES.xforwardIdent],
  ['SOURCE', FEATURES.xforwardSource],
])

/** `discarded`: keywords in upper case that are treated as not offered. */
export function parseEhloReply(text: string, discarded: ReadonlySet<string>): EhloReply {
  const authWords: string[] = []
  const reply: EhloReply = { serverName: '', features: 0, sizeLimit: 0, authWords }
  const lines = text.split('\n')
  for (const [at, line] of lines.entries()) {
    const words = line.slice('250-'.length).split(/[ \t=]+/)
    if (at === 0) {
      reply.serverName = words[0] ?? ''
      continue
    }
    const keyword = (words[0] ?? '').toUpperCase()
    if (discarded.has(keyword)) continue
    reply.features |= KEYWORDS.get(keyword) ?? 0
    const argument = words[1] ?? ''
    if (keyword === 'SIZE' && argument !== '') {
      if (/^\d+$/.test(argument)) reply.sizeLimit = Number(argument)
      else reply.badSize = argument
    }
    if (keyword === 'AUTH') authWords.push(...words.slice(1).filter((word) => word !== ''))
    if (keyword === 'XFORWARD') {
      for (const word of words.slice(1)) {
        reply.features |= XFORWARD_WORDS.get(word.toUpperCase()) ?? 0
      }
    }
  }
  return reply
}

/** The words of smtp_discard_ehlo_keywords in the order in which they are logged. */
const LOGGED_ORDER = [
  '8BITMIME',
  'AUTH',
  'ETRN',
  'PIPELINING',
  'SIZE',
  'VERP',
  'VRFY',
  'XCLIENT',
  'XFORWARD',
  'STARTTLS',
  'ENHANCEDSTATUSCODES',
  'DSN',
  'SMTPUTF8',
  'CHUNKING',
  'REQUIRETLS',
]

export interface DiscardedKeywords {
  keywords: ReadonlySet<string>
  /** For `discarding EHLO keywords: ...`; empty: nothing to log. */
  logged: string
}

export function parseDiscardedKeywords(words: Iterable<string>): DiscardedKeywords {
  const upper = new Set([...words].map((word) => word.toUpperCase()))
  const keywords = new Set(LOGGED_ORDER.filter((word) => upper.has(word)))
  if (upper.has('SILENT-DISCARD') || keywords.size === 0) return { keywords, logged: '' }
  // Postfix 3.7 prints the internal name of this one
  const logged = [...keywords].map((word) => (word === 'SMTPUTF8' ? 'EHLO_MASK_SMTPUTF8' : word))
  return { keywords, logged: logged.join(' ') }
}
