/**
 * tlsrpt-protocol - what a delivery agent tells about the TLS of a session: one datagram, for reports of RFC 8460
 *
 * The form is that of libtlsrpt, which Postfix 3.10 uses: a JSON object of short names, read by tlsrpt(8) and by the
 * tlsrpt-collectd of others alike.
 *
 *     {"dpv":"1","d":"example.com","pr":"v=TLSRPTv1;rua=…","policies":[{"policy-type":2,"policy-domain":"example.com",
 *      "policy-string":["version: STSv1",…],"mx-host":["*.example.com"],
 *      "failure-details":[{"c":204,"s":"sending IP","n":"MX name","h":"MX helo","r":"MX IP","a":"more","f":"reason"}],
 *      "t":1,"f":1}]}
 *
 * `t` counts the failures, `f` is 1 when the session failed by this policy. Strings are octets on both sides, as of all
 * protocols here; on the wire they are UTF-8, in what we write they are ASCII.
 * Trusts: nobody. What is read is cut, counted and printable.
 * Source: libtlsrpt 0.5 and tlsrpt-reporter 0.5 (their manuals, and what they send); Postfix 3.10 TLSRPT_README.
 */
import { log } from '@posthorn/log/log'
import { printable } from '@posthorn/log/printable'
import { DatagramSocket } from '@posthorn/native/datagram'
import { TlsrptError } from './wire-error.ts'

export type TlsrptPolicyType = 'sts' | 'tlsa' | 'no-policy-found'

/** RFC 8460 4.3. */
export type TlsrptFailureCode =
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'validation-failure'
  | 'tlsa-invalid'
  | 'dnssec-invalid'
  | 'dane-required'
  | 'sts-policy-fetch-error'
  | 'sts-policy-invalid'
  | 'sts-webpki-invalid'

/** RFC 8460 4.4, failure-details, of one attempt. What is not known is left out. */
export interface TlsrptFailure {
  readonly code: TlsrptFailureCode
  readonly sendingMtaIp?: string
  readonly receivingMxHostname?: string
  readonly receivingMxHelo?: string
  readonly receivingIp?: string
  readonly additionalInformation?: string
  readonly failureReasonCode?: string
}

export interface TlsrptPolicy {
  readonly type: TlsrptPolicyType
  readonly domain: string
  /** The lines of an STS policy, or TLSA records in text. */
  readonly strings: readonly string[]
  readonly mxHostPatterns: readonly string[]
  readonly isSuccess: boolean
  readonly failures: readonly TlsrptFailure[]
}

/** One session, as it ended. */
export interface TlsrptRequest {
  /** Whose `_smtp._tls` record asks for reports. */
  readonly recipientDomain: string
  /** That TXT record: `v=TLSRPTv1; rua=…` */
  readonly record: string
  readonly policies: readonly TlsrptPolicy[]
}

const POLICY_TYPES: Readonly<Record<TlsrptPolicyType, number>> = {
  tlsa: 1,
  sts: 2,
  'no-policy-found': 9,
}

const FAILURE_CODES: Readonly<Record<TlsrptFailureCode, number>> = {
  'starttls-not-supported': 201,
  'certificate-host-mismatch': 202,
  'certificate-not-trusted': 203,
  'certificate-expired': 204,
  'validation-failure': 205,
  'sts-policy-fetch-error': 301,
  'sts-policy-invalid': 302,
  'sts-webpki-invalid': 303,
  'tlsa-invalid': 304,
  'dnssec-invalid': 305,
  'dane-required': 306,
}

/** Names of a failure's optional parts on the wire, in the order in which they stand there. */
const FAILURE_PARTS = [
  ['s', 'sendingMtaIp'],
  ['n', 'receivingMxHostname'],
  ['h', 'receivingMxHelo'],
  ['r', 'receivingIp'],
  ['a', 'additionalInformation'],
  ['f', 'failureReasonCode'],
] as const satisfies readonly (readonly [string, keyof TlsrptFailure])[]

/** Octets of a datagram at most; longer ones are not sent, and the receiver's buffer ends there. */
const DATAGRAM_LIMIT = 65_000
/** Octets of a domain name in text, RFC 1035 3.1. */
const DOMAIN_LIMIT = 255
/** Octets of the TXT record: it must be whole to mean anything. */
const RECORD_LIMIT = 4000
/** Octets of any other string; the rest is cut. */
const TEXT_LIMIT = 1000
/** Elements of each list; what follows is left out. */
const LIST_LIMIT = 100

function wireText(octets: string): string {
  return Buffer.from(octets, 'latin1').toString()
}

function encodeFailure(failure: TlsrptFailure): object {
  const parts = FAILURE_PARTS.flatMap(([name, key]) => {
    const value = failure[key]
    return value === undefined ? [] : [[name, wireText(value)] as const]
  })
  return { c: FAILURE_CODES[failure.code], ...Object.fromEntries(parts) }
}

function encodePolicy(policy: TlsrptPolicy): object {
  return {
    'policy-type': POLICY_TYPES[policy.type],
    'policy-domain': wireText(policy.domain),
    ...(policy.strings.length > 0 && { 'policy-string': policy.strings.map(wireText) }),
    ...(policy.mxHostPatterns.length > 0 && { 'mx-host': policy.mxHostPatterns.map(wireText) }),
    ...(policy.failures.length > 0 && { 'failure-details': policy.failures.map(encodeFailure) }),
    t: policy.failures.length,
    f: policy.isSuccess ? 0 : 1,
  }
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** ASCII only. */
export function encodeTlsrptDatagram(request: TlsrptRequest): string {
  const json = JSON.stringify({
    dpv: '1',
    d: wireText(request.recipientDomain),
    pr: wireText(request.record),
    policies: request.policies.map(encodePolicy),
  })
  return json.replace(/[^\x20-\x7e]/g, escapeUnit)
}

type JsonObject = Readonly<Record<string, unknown>>

function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TlsrptError(`Cannot parse ${what} of a TLS result: want an object`)
  }
  return value as JsonObject
}

/** Undefined where it is absent; else octets, printable, and not longer than `limit`. */
function findText(from: JsonObject, name: string, limit: number): string | undefined {
  const value = from[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') {
    throw new TlsrptError(`Cannot parse "${name}" of a TLS result: want a string`)
  }
  return readable(value, limit)
}

/** Cut on the text, so that no UTF-8 sequence is torn; a character has up to four octets. */
function readable(text: string, limit: number): string {
  return printable(Buffer.from(text.slice(0, limit)).toString('latin1'))
}

/** What must be whole: refused, not cut, when it is longer. */
function wholeText(from: JsonObject, name: string, limit: number): string {
  const value = findText(from, name, limit + 1)
  if (value === undefined || value === '' || value.length > limit) {
    throw new TlsrptError(`Cannot parse "${name}" of a TLS result: want 1 to ${limit} octets`)
  }
  return value
}

function listOf(from: JsonObject, name: string): readonly unknown[] {
  const value = from[name] ?? []
  if (!Array.isArray(value)) {
    throw new TlsrptError(`Cannot parse "${name}" of a TLS result: want a list`)
  }
  return value.slice(0, LIST_LIMIT)
}

function textsOf(from: JsonObject, name: string): readonly string[] {
  return listOf(from, name).map((value) => {
    if (typeof value === 'string') return readable(value, TEXT_LIMIT)
    throw new TlsrptError(`Cannot parse "${name}" of a TLS result: want strings`)
  })
}

function wordOf<Word extends string>(
  numbers: Readonly<Record<Word, number>>,
  from: JsonObject,
  name: string,
): Word {
  const words = Object.keys(numbers) as Word[]
  const word = words.find((key) => numbers[key] === from[name])
  if (word === undefined) {
    throw new TlsrptError(`Cannot parse "${name}" of a TLS result: not one of the numbers it has`)
  }
  return word
}

function parseFailure(value: unknown): TlsrptFailure {
  const from = asObject(value, 'a failure')
  const parts: Partial<Record<keyof TlsrptFailure, string>> = {}
  for (const [name, key] of FAILURE_PARTS) {
    const text = findText(from, name, TEXT_LIMIT)
    if (text !== undefined) parts[key] = text
  }
  return { ...parts, code: wordOf(FAILURE_CODES, from, 'c') }
}

function parsePolicy(value: unknown, recipientDomain: string): TlsrptPolicy {
  const from = asObject(value, 'a policy')
  const hasDomain = from['policy-domain'] !== undefined && from['policy-domain'] !== ''
  if (from['f'] !== 0 && from['f'] !== 1) {
    throw new TlsrptError('Cannot parse "f" of a TLS result: want 0 or 1')
  }
  return {
    type: wordOf(POLICY_TYPES, from, 'policy-type'),
    domain: hasDomain ? wholeText(from, 'policy-domain', DOMAIN_LIMIT) : recipientDomain,
    strings: textsOf(from, 'policy-string'),
    mxHostPatterns: textsOf(from, 'mx-host'),
    isSuccess: from['f'] === 0,
    failures: listOf(from, 'failure-details').map(parseFailure),
  }
}

/**
 * Reads what libtlsrpt sends, with or without its version; unknown names are passed over.
 *
 * @throws {TlsrptError} no JSON of that form; another version of the protocol
 */
export function parseTlsrptDatagram(octets: string | Buffer): TlsrptRequest {
  let json: unknown
  try {
    json = JSON.parse(typeof octets === 'string' ? wireText(octets) : octets.toString())
  } catch (cause) {
    throw new TlsrptError('Cannot parse a TLS result: no JSON', { cause })
  }
  const from = asObject(json, 'the whole')
  const version = from['dpv'] ?? '1'
  if (version !== '1') throw new TlsrptError('Cannot parse a TLS result: want version "1"')
  const recipientDomain = wholeText(from, 'd', DOMAIN_LIMIT)
  return {
    recipientDomain,
    record: wholeText(from, 'pr', RECORD_LIMIT),
    policies: listOf(from, 'policies').map((policy) => parsePolicy(policy, recipientDomain)),
  }
}

/** A collector that is not there is told of once in this time. */
const WARNING_INTERVAL_MS = 60_000

/**
 * Sends results to the collector. Mail comes first: a result for which there is no reader or no room is lost. The
 * connection is made when it is needed, and again when the collector has made its socket anew.
 */
export class TlsrptClient {
  readonly #path: string
  readonly #now: () => number
  #socket: DatagramSocket | undefined
  #warnedAtMs: number | undefined
  #lostCount = 0

  /** `path` as in smtp_tlsrpt_socket_name: relative to the queue directory, or absolute. */
  constructor(path: string, now: () => number = Date.now) {
    this.#path = path
    this.#now = now
  }

  /** One datagram, at once; never waits, never throws. */
  send(request: TlsrptRequest): void {
    const datagram = encodeTlsrptDatagram(request)
    if (datagram.length > DATAGRAM_LIMIT) {
      this.#lose(`${datagram.length} octets, the limit is ${DATAGRAM_LIMIT}`)
      return
    }
    const isFresh = this.#socket === undefined
    const fault = this.#attempt(datagram)
    if (fault === undefined) return
    // the collector was restarted since: a new connection may find it
    const second = isFresh || this.#socket !== undefined ? fault : this.#attempt(datagram)
    if (second !== undefined) this.#lose(second)
  }

  close(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  #attempt(datagram: string): string | undefined {
    try {
      this.#socket ??= DatagramSocket.connect(this.#path)
      return this.#socket.send(datagram) ? undefined : 'the collector is behind'
    } catch (error) {
      this.close()
      return error instanceof Error ? error.message : String(error)
    }
  }

  #lose(reason: string): void {
    this.#lostCount++
    const now = this.#now()
    if (this.#warnedAtMs !== undefined && now - this.#warnedAtMs < WARNING_INTERVAL_MS) return
    this.#warnedAtMs = now
    log.warning(`TLSRPT: ${this.#lostCount} results not sent to ${this.#path}: ${reason}`)
    this.#lostCount = 0
  }
}
