/**
 * address-lookup - from a domain or host name to the addresses of its mail servers
 *
 * For a domain its MX hosts and their addresses, or, without MX records, the address of the domain itself
 * (RFC 5321 5.1). A failure of one MX host does not matter as long as another has an address; among failures a
 * temporary one counts more, so that mail is not returned because of a name server that was away.
 * Limits: 100 addresses. Source: Postfix 3.7.
 */
import { domainToASCII } from 'node:url'
import { isIPv4, isIPv6 } from 'node:net'
import { log } from '@posthorn/log/log'
import type { DnsAnswer, FoundAnswer, MissingAnswer } from '@posthorn/dns/dns-answer'
import { lookupNative } from '@posthorn/dns/native-lookup'
import type { Resolver } from '@posthorn/dns/resolver'
import type { ClientOptions } from './client-options.ts'
import type { DnsReplyFilter, FilteredType } from './dns-reply-filter.ts'
import { isHard, localFailure, type Failure } from './failure.ts'
import type { ServerHost } from './server-host.ts'

export interface FoundServers {
  kind: 'found'
  /** By preference. */
  hosts: readonly ServerHost[]
  /** From MX records; else the addresses of the host itself. */
  isFromMx: boolean
  /** Of all MX records, also of hosts without address. */
  bestPreference: number
}

export type ServerLookup = FoundServers | { kind: 'failed'; failure: Failure }

const MAX_ADDRESSES = 100

/** When the families of a host end differently, the first of these is reported; the last one among equals. */
const SEVERITY: readonly MissingAnswer['kind'][] = [
  'filtered',
  'tryAgain',
  'invalid',
  'failed',
  'nullMx',
  'notFound',
  'noData',
]

/** Remembers the failure to report when in the end there is no address. */
class FailureKeeper {
  failure: Failure | undefined

  record(failure: Failure): void {
    const wasSoft = this.failure !== undefined && !isHard(this.failure)
    const dsn = wasSoft ? `4${failure.dsn.slice(1)}` : failure.dsn
    this.failure = { ...failure, dsn }
  }
}

function dnsFailure(answer: MissingAnswer): Failure {
  switch (answer.kind) {
    case 'filtered':
      return localFailure('4.7.0', answer.reason)
    case 'tryAgain':
      return localFailure('4.4.3', answer.reason)
    case 'failed':
      return localFailure('5.4.3', answer.reason)
    case 'nullMx':
      return localFailure('5.1.0', answer.reason)
    case 'invalid':
    case 'notFound':
    case 'noData':
      return localFailure('5.4.4', answer.reason)
  }
}

/** For lookups: the name in ASCII (RFC 5890); the original where it cannot be converted. */
function toAscii(name: string): string {
  if (!/[\x80-\xff]/.test(name)) return name
  return domainToASCII(Buffer.from(name, 'latin1').toString('utf8')) || name
}

export class AddressLookup {
  readonly #resolver: Resolver
  readonly #options: ClientOptions
  readonly #filter: DnsReplyFilter | undefined

  constructor(resolver: Resolver, options: ClientOptions, filter?: DnsReplyFilter) {
    this.#resolver = resolver
    this.#options = options
    this.#filter = filter
  }

  /** Servers of a mail domain. */
  async findServers(domain: string, port: number): Promise<ServerLookup> {
    const name = toAscii(domain)
    const dnssec = this.#options.dnsSupport === 'dnssec'
    const answer = await this.#filtered(
      name,
      'MX',
      await this.#resolver.query(name, 'MX', { dnssec }),
    )
    switch (answer.kind) {
      case 'found':
        return this.#findMxAddresses(domain, answer, port)
      case 'notFound':
      case 'noData':
        return this.findHost(domain, port)
      case 'nullMx':
      case 'filtered':
        return { kind: 'failed', failure: dnsFailure(answer) }
      default:
        if (this.#options.ignoresMxErrors) return this.findHost(domain, port)
        return { kind: 'failed', failure: dnsFailure(answer) }
    }
  }

  /** Addresses of one host: preference 0. */
  async findHost(host: string, port: number): Promise<ServerLookup> {
    const keeper = new FailureKeeper()
    const hosts = await this.#findAddresses(toAscii(host), port, 0, keeper)
    if (hosts.length > 0) return { kind: 'found', hosts, isFromMx: false, bestPreference: 0 }
    return { kind: 'failed', failure: orUnknown(keeper.failure, host) }
  }

  async #findMxAddresses(
    domain: string,
    answer: FoundAnswer<'MX'>,
    port: number,
  ): Promise<ServerLookup> {
    const records = [...answer.records].sort((one, other) => one.preference - other.preference)
    const keeper = new FailureKeeper()
    const hosts: ServerHost[] = []
    for (const { host, preference } of records) {
      if (hosts.length >= MAX_ADDRESSES) {
        log.warning(`too many addresses for ${domain}: the rest is ignored`)
        break
      }
      hosts.push(...(await this.#findAddresses(host, port, preference, keeper)))
    }
    const bestPreference = records[0]?.preference ?? 0
    if (hosts.length > 0) {
      hosts.length = Math.min(hosts.length, MAX_ADDRESSES)
      return { kind: 'found', hosts, isFromMx: true, bestPreference }
    }
    log.warning(`no MX host for ${domain} has a valid address record`)
    const failure = orUnknown(keeper.failure, domain)
    if (!this.#options.defersWithoutMxAddress) return { kind: 'failed', failure }
    return { kind: 'failed', failure: { ...failure, dsn: `4${failure.dsn.slice(1)}` } }
  }

  async #findAddresses(
    name: string,
    port: number,
    preference: number,
    keeper: FailureKeeper,
  ): Promise<ServerHost[]> {
    const { families, usesDns, usesNative } = this.#options
    const server = (address: string, hostName = name): ServerHost => {
      return { name: hostName, address, port, preference }
    }
    if (this.#isUsable(name)) return [server(name)]
    let isMissing = true
    if (usesDns) {
      const answers = await Promise.all(
        families.map(async (family) => this.#query(name, family === 'ipv4' ? 'A' : 'AAAA')),
      )
      const found = answers.flatMap((answer) =>
        answer.kind === 'found' ? answer.records.map((record) => ({ record, answer })) : [],
      )
      if (found.length > 0) {
        const { usesCanonicalNames } = this.#options
        return found.map(({ record, answer }) =>
          server(record.address, usesCanonicalNames ? answer.name : name),
        )
      }
      const worst = worstOf(answers)
      if (worst !== undefined) keeper.record(dnsFailure(worst))
      isMissing = worst?.kind === 'notFound' || worst?.kind === 'noData'
    }
    if (!usesNative || !isMissing) return []
    return (await this.#findNative(name, keeper)).map((address) => server(address))
  }

  async #findNative(name: string, keeper: FailureKeeper): Promise<readonly string[]> {
    const answer = await lookupNative(name)
    if (answer.kind === 'found') {
      const usable = answer.addresses.filter((address) => this.#isUsable(address))
      if (usable.length === 0) {
        for (const address of answer.addresses) {
          log.info(`skipping address family ${isIPv6(address) ? 10 : 2} for host ${name}`)
        }
        keeper.record(localFailure('5.4.4', `${name}: host not found`))
      }
      return usable
    }
    const dsn = answer.kind === 'tryAgain' ? '4.4.4' : '5.4.4'
    keeper.record(localFailure(dsn, `unable to look up host ${name}: ${answer.reason}`))
    return []
  }

  async #query(name: string, type: 'A' | 'AAAA'): Promise<DnsAnswer<'A'>> {
    const { usesSearchList, dnsSupport } = this.#options
    const options = { search: usesSearchList, dnssec: dnsSupport === 'dnssec' }
    // records of both types look alike
    if (type === 'A') {
      return this.#filtered(name, 'A', await this.#resolver.query(name, 'A', options))
    }
    return this.#filtered(name, 'AAAA', await this.#resolver.query(name, 'AAAA', options))
  }

  async #filtered<T extends FilteredType>(
    name: string,
    type: T,
    answer: DnsAnswer<T>,
  ): Promise<DnsAnswer<T>> {
    if (this.#filter === undefined || answer.kind !== 'found') return answer
    return this.#filter.apply(name, type, answer)
  }

  /** An IP address of an enabled family. */
  #isUsable(text: string): boolean {
    const { families } = this.#options
    return (
      (isIPv4(text) && families.includes('ipv4')) || (isIPv6(text) && families.includes('ipv6'))
    )
  }
}

function worstOf(answers: readonly DnsAnswer<'A'>[]): MissingAnswer | undefined {
  let worst: MissingAnswer | undefined
  for (const answer of answers) {
    if (answer.kind === 'found') continue
    const rank = SEVERITY.indexOf(answer.kind)
    if (worst === undefined || rank <= SEVERITY.indexOf(worst.kind)) worst = answer
  }
  return worst
}

function orUnknown(failure: Failure | undefined, host: string): Failure {
  return failure ?? localFailure('4.4.4', `${host}: host not found`)
}
