/**
 * host-lookup - from a host name to its addresses, by DNS, by the system's own means, or both
 *
 * All enabled address families are asked for, and all that is found counts. When the families end differently, the
 * worst outcome is the one that is reported. Source: Postfix 3.7 smtp_host_lookup.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { log } from '@posthorn/log/log'
import type { DnsAnswer, MissingAnswer } from '@posthorn/dns/dns-answer'
import { lookupNative } from '@posthorn/dns/native-lookup'
import type { Resolver, SearchRules } from '@posthorn/dns/resolver'
import type { ClientOptions } from './client-options.ts'
import type { DnsReplyFilter, FilteredType } from './dns-reply-filter.ts'
import { isHard, localFailure, type Failure } from './failure.ts'
import type { ServerHost } from './server-host.ts'

/** The MX or SRV record that named a host, or what stands for one. */
export interface HostReferral {
  port: number
  preference: number
  /** The record was validated, or none was needed. */
  isSecure: boolean
}

/** The first of these is reported; the last one among equals. */
const SEVERITY: readonly MissingAnswer['kind'][] = [
  'filtered',
  'tryAgain',
  'invalid',
  'failed',
  'nullMx',
  'notFound',
  'noData',
]

const NATIVE_DSN = {
  tryAgain: '4.4.4',
  notFound: '5.4.4',
  noData: '5.3.0',
  failed: '5.3.0',
} as const

/** Remembers the failure to report when in the end there is no address. */
export class FailureKeeper {
  failure: Failure | undefined

  record(failure: Failure): void {
    const wasSoft = this.failure !== undefined && !isHard(this.failure)
    const dsn = wasSoft ? `4${failure.dsn.slice(1)}` : failure.dsn
    this.failure = { ...failure, dsn }
  }
}

export function dnsFailure(answer: MissingAnswer): Failure {
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

export class HostLookup {
  readonly #resolver: Resolver
  readonly #options: ClientOptions
  readonly #filter: DnsReplyFilter | undefined

  constructor(resolver: Resolver, options: ClientOptions, filter: DnsReplyFilter | undefined) {
    this.#resolver = resolver
    this.#options = options
    this.#filter = filter
  }

  /** What DNS has, without what smtp_dns_reply_filter hides. `search`: for names of hosts only. */
  async query<T extends FilteredType>(
    name: string,
    type: T,
    search?: SearchRules,
  ): Promise<DnsAnswer<T>> {
    const dnssec = this.#options.dnsSupport === 'dnssec'
    const answer = await this.#resolver.query(name, type, { dnssec, ...(search && { search }) })
    if (this.#filter === undefined || answer.kind !== 'found') return answer
    return this.#filter.apply(name, type, answer)
  }

  /** None: the keeper knows why. */
  async findAddresses(
    name: string,
    referral: HostReferral,
    keeper: FailureKeeper,
  ): Promise<ServerHost[]> {
    const { usesDns, usesNative } = this.#options
    const { port, preference } = referral
    if (this.#isUsable(name)) return [{ name, address: name, port, preference }]
    if (usesDns) {
      const answers = await this.#queryAddresses(name)
      const hosts = answers.flatMap((answer) => this.#hostsOf(name, answer, referral))
      if (hosts.length > 0) return hosts
      const worst = worstOf(answers)
      if (worst !== undefined) keeper.record(dnsFailure(worst))
      if (worst?.kind !== 'notFound' && worst?.kind !== 'noData') return []
    }
    if (!usesNative) return []
    const addresses = await this.#findNative(name, keeper)
    return addresses.map((address) => ({ name, address, port, preference }))
  }

  /** Records of both types look alike. */
  async #queryAddresses(name: string): Promise<readonly DnsAnswer<'A'>[]> {
    const { families, search } = this.#options
    return Promise.all(
      families.map(async (family) => this.query(name, family === 'ipv4' ? 'A' : 'AAAA', search)),
    )
  }

  #hostsOf(
    queryName: string,
    answer: DnsAnswer<'A'>,
    { port, preference, isSecure: isMxSecure }: HostReferral,
  ): ServerHost[] {
    if (answer.kind !== 'found') return []
    const { usesCanonicalNames, dnsSupport } = this.#options
    const { name: replyName, isSecure: isAddressSecure } = answer
    const host = { name: usesCanonicalNames ? replyName : queryName, port, preference }
    const dns = { queryName, replyName, isMxSecure, isAddressSecure }
    return answer.records.map(({ address }) =>
      dnsSupport === 'dnssec' ? { ...host, address, dns } : { ...host, address },
    )
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
    const dsn = NATIVE_DSN[answer.kind]
    keeper.record(localFailure(dsn, `unable to look up host ${name}: ${answer.reason}`))
    return []
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
