/**
 * read-reply - turns the packet of a name server into an outcome
 *
 * Follows the aliases inside the packet, picks the records of the wanted type that belong to the last name,
 * checks the names in them, and says how long the outcome may be remembered.
 * Sources: RFC 1034 3.6.2 (aliases), RFC 2308 5 (negative caching), RFC 7505 (null MX); Postfix 3.7 refuses
 * malformed host names in resource data.
 */
import { isValidHostname, isValidIpAddress } from '@posthorn/address/hostname'
import { log } from '@posthorn/log/log'
import type { Answer, DecodedPacket } from 'dns-packet'
import {
  invalidRecords,
  missing,
  type DnsAnswer,
  type DnsRecord,
  type RecordData,
  type RecordType,
} from './dns-answer.ts'

/** Aliases followed for one question, in all packets together. */
export const MAX_ALIASES = 10

/** Records of the wanted type that are kept, as in Postfix. */
const MAX_RECORDS = 100

export interface ReadReply<T extends RecordType> {
  answer: DnsAnswer<T>
  ttlSeconds: number
  /** The chain of aliases leaves the packet at this name: ask again for it. */
  continueAt?: string
  aliasCount: number
}

const RCODE = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const

/** Something is wrong with the server, not with the name: another one, or the same one later, may do better. */
const TEMPORARY: ReadonlySet<number> = new Set([
  RCODE.serverFailure,
  RCODE.notImplemented,
  RCODE.refused,
])

/** RCODE of the header (RFC 1035 4.1.1). dns-packet names it in a property that its types leave out. */
export function replyCode(reply: DecodedPacket): number {
  return (reply.flags ?? 0) & 0xf
}

function withoutDot(name: string): string {
  return name === '.' ? '' : name
}

function textOf(data: string | Buffer | readonly (string | Buffer)[]): string {
  const parts = Array.isArray(data) ? data : [data]
  return parts
    .map((part: string | Buffer) => (typeof part === 'string' ? part : part.toString('latin1')))
    .join('')
}

/** The data of one record of our types; undefined for other types. */
function dataOf(answer: Answer): RecordData[RecordType] | undefined {
  switch (answer.type) {
    case 'A':
    case 'AAAA':
      return { address: answer.data }
    case 'MX':
      return { preference: answer.data.preference ?? 0, host: withoutDot(answer.data.exchange) }
    case 'TXT':
      return { text: textOf(answer.data) }
    case 'SRV': {
      const { priority = 0, weight = 0, port, target } = answer.data
      return { priority, weight, port, host: withoutDot(target) }
    }
    case 'PTR':
    case 'NS':
      return { host: withoutDot(answer.data) }
    case 'TLSA': {
      const { usage, selector, matchingType, certificate } = answer.data
      return { usage, selector, matchingType, certificate }
    }
    default:
      return undefined
  }
}

/** A numeric host name is wrong and common, and accepted; anything else must be a host name. Says what is wrong. */
function isUsableHost(host: string, name: string, type: RecordType | 'CNAME'): boolean {
  if (isValidHostname(host)) return true
  const isNumeric = isValidIpAddress(host)
  const text = host.replace(/[^!-~]/g, (char) => `\\${String(char.charCodeAt(0)).padStart(3, '0')}`)
  const what = `${isNumeric ? 'numeric' : 'malformed'} domain name`
  log.warning(`${what} in resource data of ${type} record for ${name}: ${text}`)
  return isNumeric
}

function negativeTtl(reply: DecodedPacket): number {
  for (const authority of reply.authorities ?? []) {
    if (authority.type === 'SOA') {
      return Math.min(authority.ttl ?? 0, authority.data.minimum ?? 0)
    }
  }
  return 0
}

/** RFC 2782, Target: one record alone that names the root. */
function hasNoService(answers: readonly Answer[], owner: string): boolean {
  const records = answers.filter(
    (answer) => answer.type === 'SRV' && answer.name.toLowerCase() === owner.toLowerCase(),
  )
  const [only, ...others] = records
  return only?.type === 'SRV' && others.length === 0 && withoutDot(only.data.target) === ''
}

/** `aliasCount`: aliases followed in earlier packets for the same question. */
export function readReply<T extends RecordType>(
  reply: DecodedPacket,
  name: string,
  type: T,
  aliasCount: number,
): ReadReply<T> {
  const code = replyCode(reply)
  const answers = reply.answers ?? []
  let owner = name
  let ttlSeconds = Number.POSITIVE_INFINITY
  for (;;) {
    const wanted = owner.toLowerCase()
    const alias = answers.find(
      (answer) => answer.type === 'CNAME' && answer.name.toLowerCase() === wanted,
    )
    if (alias?.type !== 'CNAME') break
    aliasCount += 1
    if (aliasCount > MAX_ALIASES) {
      const reason = `Name server loop for ${name}`
      log.warning(`dns_lookup: ${reason}`)
      return { answer: { kind: 'notFound', name: owner, reason }, ttlSeconds: 0, aliasCount }
    }
    if (!isUsableHost(alias.data, owner, 'CNAME')) {
      return { answer: invalidRecords(owner, type), ttlSeconds: 0, aliasCount }
    }
    ttlSeconds = Math.min(ttlSeconds, alias.ttl ?? 0)
    owner = alias.data
  }
  const negative = { ttlSeconds: Math.min(ttlSeconds, negativeTtl(reply)), aliasCount }
  const isSecure = reply.flag_ad
  if (code === RCODE.nameError) {
    return { answer: { ...missing('notFound', owner, type), isSecure }, ...negative }
  }
  if (TEMPORARY.has(code)) {
    return { answer: missing('tryAgain', owner, type), ttlSeconds: 0, aliasCount }
  }
  if (code !== RCODE.noError) {
    return { answer: missing('failed', owner, type), ttlSeconds: 0, aliasCount }
  }

  if (type === 'SRV' && hasNoService(answers, owner)) {
    const reason = `Domain does not offer the service ${name} (SRV target ".")`
    return { answer: { kind: 'nullMx', name: owner, reason }, ttlSeconds: 0, aliasCount }
  }
  const records: DnsRecord<T>[] = []
  let isAnyUnusable = false
  for (const answer of answers) {
    if (answer.type !== type || answer.name.toLowerCase() !== owner.toLowerCase()) continue
    if (records.length === MAX_RECORDS) {
      const excess = `dropping excess record(s) after qname=${owner} qtype=${type}`
      log.warning(`DNS record count limit (${MAX_RECORDS}) exceeded -- ${excess}`)
      break
    }
    const data = dataOf(answer)
    if (data === undefined) continue
    const ttl = 'ttl' in answer ? (answer.ttl ?? 0) : 0
    ttlSeconds = Math.min(ttlSeconds, ttl)
    if (type === 'MX' && 'host' in data && data.host === '') {
      // RFC 7505 3: one such record speaks for the domain, even where others stand beside it
      const reason = `Domain ${name} does not accept mail (nullMX)`
      return { answer: { kind: 'nullMx', name: owner, reason }, ttlSeconds, aliasCount }
    }
    if (!('host' in data) || isUsableHost(data.host, name, type)) {
      records.push({ name: answer.name, ttlSeconds: ttl, ...data } as unknown as DnsRecord<T>)
    } else isAnyUnusable = true
  }
  if (records.length > 0) {
    return { answer: { kind: 'found', name: owner, records, isSecure }, ttlSeconds, aliasCount }
  }
  if (isAnyUnusable) return { answer: invalidRecords(owner, type), ttlSeconds: 0, aliasCount }
  const answer = { ...missing('noData', owner, type), isSecure }
  if (owner !== name && negativeTtl(reply) === 0) {
    return { answer, ttlSeconds: 0, aliasCount, continueAt: owner }
  }
  return { answer, ...negative }
}
