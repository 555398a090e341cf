/**
 * tls-log-level - what smtp_tls_loglevel asks for: a level from 0 to 4, or words
 *
 * OpenSSL's own tales, of its states and packets, cannot be had from Node.js: words that ask for them are known, and without
 * effect but for what stands here.
 * Source: Postfix 3.7 postconf(5) smtp_tls_loglevel, and what smtp(8) logs at each.
 */
import { log } from '@posthorn/log/log'

export type TlsLogFeature =
  /** A line for each connection. */
  | 'summary'
  /** Why a certificate is not trusted, also where nobody wants it to be. */
  | 'untrusted'
  /** Names and fingerprints of the certificate, and what of it matched. */
  | 'certmatch'
  /** The same of a client's certificate. */
  | 'peercert'
  /** Settings of the connection, and the chain. */
  | 'verbose'
  | 'cache'
  /** TLSA records, also those that stand for fingerprints and trust anchors. */
  | 'dane'
  /** The name that the server is asked for. */
  | 'ssl-debug'

export type TlsLogFeatures = ReadonlySet<TlsLogFeature>

const VERBOSE = ['verbose', 'certmatch', 'peercert', 'dane'] as const
const DEBUG = ['summary', ...VERBOSE, 'cache', 'ssl-debug'] as const

const WORDS: ReadonlyMap<string, readonly TlsLogFeature[]> = new Map<
  string,
  readonly TlsLogFeature[]
>([
  ['0', []],
  ['none', []],
  ['1', ['summary']],
  ['routine', ['summary']],
  ['2', DEBUG],
  ['debug', DEBUG],
  ['3', DEBUG],
  ['ssl-expert', DEBUG],
  ['4', DEBUG],
  ['ssl-developer', DEBUG],
  ['summary', ['summary']],
  ['untrusted', ['untrusted']],
  ['peercert', ['certmatch', 'peercert']],
  ['certmatch', ['certmatch']],
  ['verbose', VERBOSE],
  ['cache', ['cache']],
  ['dane', ['dane']],
  ['ssl-debug', ['ssl-debug']],
  ['ssl-handshake-packet-dump', []],
  ['ssl-session-packet-dump', []],
])

/** An unknown word is a warning, and nothing at all is logged. `parameter`: smtp_tls_loglevel, lmtp_tls_loglevel. */
export function parseTlsLogLevel(text: string, parameter: string): TlsLogFeatures {
  const features = new Set<TlsLogFeature>()
  for (const word of text.split(/[\s,]+/).filter((item) => item !== '')) {
    const found = WORDS.get(word.toLowerCase())
    if (found === undefined) {
      log.warning(`unknown ${parameter} value "${word}" in "${text}"`)
      return new Set()
    }
    for (const feature of found) features.add(feature)
  }
  return features
}
