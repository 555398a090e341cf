/**
 * verification - whether the peer's certificate is what the level asks for, and what the log says about it
 *
 * Two ways: the certification authorities of main.cf, which OpenSSL checks during the handshake (names, depth and the words
 * are ours), or records that pin the certificate or its issuer (dane.ts).
 * Source: Postfix 3.7 smtp(8), as it logs; X509_verify_cert_error_string(3) for numbers and texts.
 */
import type { X509Certificate } from 'node:crypto'
import type { TlsFinding } from '@posthorn/wire/tls-finding'
import { findMatch, mismatchText, oneLine } from './certificate-names.ts'
import {
  dateFault,
  isForServers,
  USAGE,
  verifyDane,
  type DaneQuestion,
  type DaneVerdict,
} from './dane.ts'
import { FINGERPRINT, recordText } from './fingerprint.ts'
import { findLimitFault } from './issuer-limits.ts'

export interface Verdict {
  /** The chain leads to somebody whom we trust; where names or records were asked for, they match. */
  readonly isTrusted: boolean
  /** What was asked for matches. */
  readonly isMatched: boolean
  /** `certificate verification failed for HOST: self-signed certificate` */
  readonly failure: string | undefined
  /** The same in a word; absent: nothing is wrong. */
  readonly finding?: TlsFinding
  /** At log level certmatch: `matched peername: NAME`, `Matched DANE EE certificate at depth 0: 3 1 1 HEX`. */
  readonly matches: readonly string[]
  /** Subjects of the certificates that OpenSSL would look at, the server's first: lines `depth=` in the log. */
  readonly walked: readonly string[]
}

const TEXTS: ReadonlyMap<string, string> = new Map([
  ['CERT_SIGNATURE_FAILURE', 'num=7:certificate signature failure'],
  ['CERT_CHAIN_TOO_LONG', 'num=22:certificate chain too long'],
  ['CERT_REVOKED', 'num=23:certificate revoked'],
  ['CERT_REJECTED', 'num=28:certificate rejected'],
])

export interface PkixQuestion {
  /** As sent, the server's own first. */
  readonly chain: readonly X509Certificate[]
  /** `authorizationError` of node:tls, which is that of OpenSSL. */
  readonly error: string | undefined
  /** One of them must match; undefined: the level asks for no name. */
  readonly names: readonly string[] | undefined
  readonly verifyDepth: number
  /** `HOST[ADDRESS]:PORT` */
  readonly peer: string
  readonly nowMs: number
  /** Whose certificate it is; default: server. */
  readonly role?: Role
}

type Role = 'server' | 'client'

export function verifyPkix(question: PkixQuestion): Verdict {
  const { chain, names, peer } = question
  const leaf = chain[0]
  if (leaf === undefined) return untrusted(chain, NOTHING_SENT)
  const name = names === undefined ? undefined : findMatch(leaf, names)
  // OpenSSL checks these two before names; dates and trust come after them
  const isPrior =
    question.error === 'DEPTH_ZERO_SELF_SIGNED_CERT' ||
    (question.error !== undefined && !isForServers(leaf))
  if (names !== undefined && name === undefined && !isPrior) {
    const text = `server ${failed(peer)} ${mismatchText(names)}`
    return untrusted(chain, { text, finding: 'host-mismatch' })
  }
  const failure = question.error === undefined ? depthFault(question) : chainFault(question)
  if (failure !== undefined) return untrusted(chain, failure)
  return {
    isTrusted: true,
    isMatched: name !== undefined,
    failure: undefined,
    matches: name === undefined ? [] : [`matched peername: ${name}`],
    walked: withRoot(chain),
  }
}

/** A root that is not sent is one of ours: its name is that of the last issuer. */
function withRoot(chain: readonly X509Certificate[]): string[] {
  const last = chain.at(-1)
  const root = last === undefined || last.checkIssued(last) ? [] : [last.issuer]
  return [...chain.map(({ subject }) => subject), ...root]
}

interface Fault {
  /** For the log. */
  readonly text: string | undefined
  readonly finding: TlsFinding
}

const NOTHING_SENT: Fault = { text: undefined, finding: 'no-certificate' }

function untrusted(chain: readonly X509Certificate[], { text, finding }: Fault): Verdict {
  const walked = chain.map(({ subject }) => subject)
  return { isTrusted: false, isMatched: false, failure: text, finding, matches: [], walked }
}

function failed(peer: string): string {
  return `certificate verification failed for ${peer}:`
}

/** Issuers between the server's certificate and the one that is trusted: one more than the parameter says is allowed. */
function depthFault({
  chain,
  verifyDepth,
  peer,
}: Omit<PkixQuestion, 'error' | 'names' | 'nowMs'>): Fault | undefined {
  const last = chain.at(-1)
  const isRootSent = last !== undefined && chain.length > 1 && last.checkIssued(last)
  const between = chain.length - 1 - (isRootSent ? 1 : 0)
  if (between <= verifyDepth + 1) return undefined
  const text = `${failed(peer)} certificate chain longer than limit(${verifyDepth + 1})`
  return { text, finding: 'chain' }
}

function chainFault(question: PkixQuestion): Fault {
  const { chain, peer, error = '', nowMs, role = 'server' } = question
  const top = chain.at(-1)
  switch (error) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return { text: `${failed(peer)} self-signed certificate`, finding: 'self-signed' }
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return {
        text: `${failed(peer)} untrusted issuer ${oneLine(top?.issuer ?? '')}`,
        finding: 'untrusted-issuer',
      }
    case 'CERT_UNTRUSTED':
      return {
        text: `${failed(peer)} not trusted by local or TLSA policy`,
        finding: 'untrusted-issuer',
      }
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID': {
      const text =
        error === 'CERT_HAS_EXPIRED' ? 'certificate has expired' : 'certificate not yet valid'
      const leaf = chain[0]
      const isLeaf = leaf !== undefined && dateFault(leaf, nowMs) !== undefined
      const finding = error === 'CERT_HAS_EXPIRED' ? 'expired' : 'not-yet-valid'
      return { text: `${isLeaf ? role : 'CA'} ${failed(peer)} ${text}`, finding }
    }
    case 'INVALID_PURPOSE':
    case 'INVALID_CA': {
      // OpenSSL 3.5 has one word for both
      const isWrongIssuer = chain.slice(1).some((certificate) => !certificate.ca)
      return isWrongIssuer
        ? { text: `CA ${failed(peer)} num=79:invalid CA certificate`, finding: 'chain' }
        : wrongPurpose(peer, role)
    }
    default: {
      const limit = findLimitFault(chain)
      if (limit !== undefined) {
        const whose = limit.depth === 0 ? role : 'CA'
        return { text: `${whose} ${failed(peer)} ${limit.text}`, finding: 'chain' }
      }
      const text = TEXTS.get(error) ?? 'num=1:unspecified certificate verification error'
      return { text: `${role} ${failed(peer)} ${text}`, finding: 'other' }
    }
  }
}

function wrongPurpose(peer: string, role: Role = 'server'): Fault {
  return {
    text: `${failed(peer)} not designated for use as a ${role} certificate`,
    finding: 'wrong-purpose',
  }
}

interface PinnedSettings {
  readonly peer: string
  readonly verifyDepth: number
}

/** By records: TLSA of the server, fingerprints, trust anchors. */
export function verifyPinned(question: DaneQuestion & PinnedSettings): Verdict {
  const { chain, peer } = question
  if (chain.length === 0) return untrusted(chain, NOTHING_SENT)
  const verdict = verifyDane(question)
  switch (verdict.kind) {
    case 'matched': {
      const path = chain.slice(0, verdict.depth + 1)
      const tooLong = verdict.depth === 0 ? undefined : depthFault({ ...question, chain: path })
      if (tooLong !== undefined) return untrusted(chain, tooLong)
      return {
        isTrusted: true,
        isMatched: true,
        failure: undefined,
        matches: matchTexts(verdict, question.areAuthorities),
        walked: verdict.walked.map(({ subject }) => subject),
      }
    }
    case 'wrong-purpose':
      return untrusted(chain, wrongPurpose(peer))
    case 'failed': {
      const whose = verdict.depth === 0 ? 'server' : 'CA'
      const { finding } = verdict
      return untrusted(chain, { text: `${whose} ${failed(peer)} ${verdict.text}`, finding })
    }
  }
}

type Match = Extract<DaneVerdict, { kind: 'matched' }>

function matchTexts({ anchor, isBareKey, depth, name }: Match, areAuthorities: boolean): string[] {
  const { record, data } = anchor
  const named = name === undefined ? [] : [`matched peername: ${name}`]
  if (record.matchingType === FINGERPRINT) {
    return [`Matched fingerprint: ${data.toString('hex').toUpperCase()}`]
  }
  if (areAuthorities) return [...named, `Matched trust anchor at depth ${depth}`]
  const who = record.usage === USAGE.endEntity ? 'EE' : 'TA'
  const what = isBareKey ? 'public key verified certificate' : 'certificate'
  return [...named, `Matched DANE ${who} ${what} at depth ${depth}: ${recordText(record)}`]
}
