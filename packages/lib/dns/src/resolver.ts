/**
 * resolver - a stub resolver: asks the configured name servers, remembers what they said
 *
 * Every server is asked in turn, `attempts` rounds, until one gives an answer that counts. Questions that are
 * under way are shared, so a burst of mail to one domain costs one lookup. Aliases are followed beyond the
 * packet when a server leaves them open.
 * Limits: 2000 remembered outcomes; 10 aliases; timeoutMs x servers x attempts for one packet.
 * Sources: RFC 1035 7, RFC 2308; resolv.conf(5).
 */
import { isValidHostname } from '@posthorn/address/hostname'
import { AnswerCache } from './answer-cache.ts'
import { missing, type DnsAnswer, type RecordType } from './dns-answer.ts'
import { askServer, type Question } from './dns-exchange.ts'
import { readReply, replyCode, type ReadReply } from './read-reply.ts'
import {
  parseNameServers,
  readResolvConf,
  type NameServer,
  type ResolverSettings,
} from './resolv-conf.ts'

const CACHE_LIMIT = 2000
const FORMAT_ERROR = 1
const NOT_IMPLEMENTED = 4

export interface QueryOptions {
  /** Ask the server to validate, and believe its word (AD). */
  dnssec?: boolean
  /** As the options of resolver(5) of that name. Absent: the name as it stands. */
  search?: SearchRules
}

export interface SearchRules {
  /** RES_DEFNAMES: names without a dot, in our own domain. */
  defaultNames: boolean
  /** RES_DNSRCH: names with a dot, in all search domains; and so are those without, with defaultNames. */
  searchList: boolean
}

export interface ResolverOptions {
  servers: readonly NameServer[]
  timeoutMs?: number
  attempts?: number
  search?: readonly string[]
  ndots?: number
}

function isConclusive(answer: DnsAnswer): boolean {
  return answer.kind !== 'tryAgain' && answer.kind !== 'failed'
}

export class Resolver {
  readonly #settings: ResolverSettings
  readonly #cache = new AnswerCache(CACHE_LIMIT)
  readonly #pending = new Map<string, Promise<DnsAnswer>>()

  constructor(options: ResolverOptions) {
    this.#settings = { timeoutMs: 5000, attempts: 2, search: [], ndots: 1, ...options }
  }

  /**
   * Settings of resolv.conf(5); `nameservers` (the value of dns_nameservers), when not empty, replaces its servers.
   *
   * @throws {RangeError} dns_nameservers names something that is no address
   */
  static fromConfig(config: { nameservers: string }): Resolver {
    const settings = readResolvConf()
    const servers = parseNameServers(config.nameservers)
    return new Resolver(servers.length > 0 ? { ...settings, servers } : settings)
  }

  /**
   * Never rejects: what cannot be found out is a tryAgain. A name of digits and dots, or one that is no host
   * name, is notFound without asking.
   */
  async query<T extends RecordType>(
    name: string,
    type: T,
    options: QueryOptions = {},
  ): Promise<DnsAnswer<T>> {
    const isRoot = name === '.'
    const absolute = !isRoot && name.endsWith('.') ? name.slice(0, -1) : name
    if (!isRoot && !isValidHostname(absolute)) {
      const reason = `Name service error for ${name}: invalid host or domain name`
      return { kind: 'notFound', name, reason }
    }
    const dnssec = options.dnssec === true
    const domains = absolute === name ? this.#searchDomains(name, options.search) : []
    if (domains.length === 0) return this.#share(absolute, type, dnssec)
    return this.#search(absolute, domains, type, dnssec)
  }

  #searchDomains(name: string, rules: SearchRules | undefined): readonly string[] {
    const { search } = this.#settings
    if (rules === undefined) return []
    if (name.includes('.')) return rules.searchList ? search : []
    if (!rules.defaultNames) return []
    return rules.searchList ? search : search.slice(0, 1)
  }

  /** resolv.conf(5), search: as it stands first when it has enough dots, else last. */
  async #search<T extends RecordType>(
    name: string,
    domains: readonly string[],
    type: T,
    dnssec: boolean,
  ): Promise<DnsAnswer<T>> {
    const below = domains.map((domain) => `${name}.${domain}`)
    const dots = name.split('.').length - 1
    const names = dots >= this.#settings.ndots ? [name, ...below] : [...below, name]
    let first: DnsAnswer<T> | undefined
    for (const candidate of names) {
      const answer = await this.#share(candidate, type, dnssec)
      if (answer.kind !== 'notFound' && answer.kind !== 'noData') return answer
      if (first === undefined || candidate === name) first = answer
    }
    return first ?? missing('notFound', name, type)
  }

  async #share<T extends RecordType>(
    name: string,
    type: T,
    dnssec: boolean,
  ): Promise<DnsAnswer<T>> {
    const key = `${type} ${dnssec ? 'secure ' : ''}${name.toLowerCase()}`
    const known = this.#cache.find(key)
    // the type is part of the key
    if (known !== undefined) return known as DnsAnswer<T>
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending as Promise<DnsAnswer<T>>
    const lookup = this.#resolve(name, type, dnssec, key)
    this.#pending.set(key, lookup)
    try {
      return await lookup
    } finally {
      this.#pending.delete(key)
    }
  }

  async #resolve<T extends RecordType>(
    name: string,
    type: T,
    dnssec: boolean,
    key: string,
  ): Promise<DnsAnswer<T>> {
    let target = name
    let ttlSeconds = Number.POSITIVE_INFINITY
    let aliasCount = 0
    /** Each packet of a chain of aliases was validated. */
    let isSecure = true
    for (;;) {
      const read = await this.#ask(target, type, dnssec, aliasCount)
      ttlSeconds = Math.min(ttlSeconds, read.ttlSeconds)
      if (read.continueAt !== undefined) {
        target = read.continueAt
        aliasCount = read.aliasCount
        isSecure &&= read.answer.isSecure === true
        continue
      }
      const answer = secured(read.answer, isSecure && dnssec)
      this.#cache.store(key, answer, ttlSeconds)
      return answer
    }
  }

  async #ask<T extends RecordType>(
    name: string,
    type: T,
    dnssec: boolean,
    aliasCount: number,
  ): Promise<ReadReply<T>> {
    let last: DnsAnswer<T> = missing('tryAgain', name, type)
    for (let attempt = 0; attempt < this.#settings.attempts; attempt++) {
      for (const server of this.#settings.servers) {
        const read = await this.#askOne(server, { name, type, dnssec, edns: true }, aliasCount)
        if (read === undefined) continue
        if (isConclusive(read.answer)) return read as ReadReply<T>
        last = read.answer as DnsAnswer<T>
      }
    }
    return { answer: last, ttlSeconds: 0, aliasCount }
  }

  async #askOne(
    server: NameServer,
    question: Question,
    aliasCount: number,
  ): Promise<ReadReply<RecordType> | undefined> {
    const { name, type } = question
    try {
      let reply = await askServer(server, question, this.#settings.timeoutMs)
      const code = replyCode(reply)
      if (code === FORMAT_ERROR || code === NOT_IMPLEMENTED) {
        // RFC 6891 7: a server that does not know EDNS says so, and is asked in the old way
        reply = await askServer(server, { ...question, edns: false }, this.#settings.timeoutMs)
      }
      return readReply(reply, name, type, aliasCount)
    } catch {
      // silence, a closed port, an unreachable network: the next server may do better
      return undefined
    }
  }
}

function secured<T extends RecordType>(answer: DnsAnswer<T>, isSecure: boolean): DnsAnswer<T> {
  if (isSecure || answer.isSecure !== true) return answer
  return { ...answer, isSecure: false }
}
