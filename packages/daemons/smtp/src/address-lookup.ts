/**
 * address-lookup - from a domain or host name to the addresses of its mail servers
 *
 * For a domain its MX hosts and their addresses, or, without MX records, the address of the domain itself
 * (RFC 5321 5.1); for a service that use_srv_lookup names the hosts and ports of its SRV records (RFC 2782). A failure of
 * one host does not matter as long as another has an address; among failures a temporary one counts more, so
 * that mail is not returned because of a name server that was away.
 * Limits: 100 addresses. Source: Postfix 3.7; SRV as postconf(5) of Postfix 3.8 says.
 */
import { log } from '@posthorn/log/log'
import type { DnsRecord } from '@posthorn/dns/dns-answer'
import type { Resolver } from '@posthorn/dns/resolver'
import { sortSrv } from '@posthorn/dns/sort-srv'
import type { TlsaRecord } from '@posthorn/wire/tlsproxy-protocol'
import { orderAddresses } from './address-order.ts'
import { toAsciiName } from './ascii-name.ts'
import type { ClientOptions } from './client-options.ts'
import type { DnsReplyFilter } from './dns-reply-filter.ts'
import { localFailure, type Failure } from './failure.ts'
import { dnsFailure, FailureKeeper, HostLookup, type HostReferral } from './host-lookup.ts'
import type { Nexthop } from './nexthop.ts'
import type { ServerHost } from './server-host.ts'

export interface FoundServers {
  kind: 'found'
  /** By preference. */
  hosts: readonly ServerHost[]
  /** From MX or SRV records; else the addresses of the host itself. */
  isFromMx: boolean
  /** Of all MX records, also of hosts without address. */
  bestPreference: number
  /** The hosts are in the order in which they are to be tried: weights have a say in it. */
  isOrdered?: true
}

export type ServerLookup = FoundServers | { kind: 'failed'; failure: Failure }

export type TlsaLookup =
  | { kind: 'found'; records: readonly TlsaRecord[]; isSecure: boolean }
  | { kind: 'missing'; isSecure: boolean }
  | { kind: 'failed'; text: string }

/** A host that MX or SRV records name. */
interface Referral extends HostReferral {
  host: string
}

const MAX_ADDRESSES = 100

export class AddressLookup {
  readonly #hosts: HostLookup
  readonly #options: ClientOptions

  constructor(resolver: Resolver, options: ClientOptions, filter?: DnsReplyFilter) {
    this.#hosts = new HostLookup(resolver, options, filter)
    this.#options = options
  }

  /** Servers of a mail domain. */
  async findServers(domain: string, port: number): Promise<ServerLookup> {
    const answer = await this.#hosts.query(this.#toAscii(domain), 'MX')
    switch (answer.kind) {
      case 'found': {
        const { isSecure } = answer
        const referrals = answer.records
          .map(({ host, preference }) => ({ host, port, preference, isSecure }))
          .sort((one, other) => one.preference - other.preference)
        return this.#findReferred(domain, referrals, 'MX')
      }
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

  /** Servers of a service of a domain; undefined: there is no saying, and the domain is to be looked up in the old way. */
  async findService({ host: domain, service }: Nexthop): Promise<ServerLookup | undefined> {
    const { srv } = this.#options
    const answer = await this.#hosts.query(`_${service}._tcp.${this.#toAscii(domain)}`, 'SRV')
    switch (answer.kind) {
      case 'found': {
        const { isSecure } = answer
        const referrals = sortSrv(answer.records).map((record) => ({
          host: record.host,
          port: record.port,
          preference: record.priority,
          isSecure,
        }))
        const found = await this.#findReferred(domain, referrals, 'SRV')
        return found.kind === 'found' ? { ...found, isOrdered: true } : found
      }
      case 'notFound':
      case 'noData':
        if (srv.allowsFallback) return undefined
        return { kind: 'failed', failure: dnsFailure(answer) }
      case 'nullMx':
      case 'filtered':
        return { kind: 'failed', failure: dnsFailure(answer) }
      default:
        if (srv.ignoresErrors || srv.allowsFallback) return undefined
        return { kind: 'failed', failure: dnsFailure(answer) }
    }
  }

  /** Addresses of one host: preference 0. */
  async findHost(host: string, port: number): Promise<ServerLookup> {
    const keeper = new FailureKeeper()
    const referral = { port, preference: 0, isSecure: true }
    const hosts = await this.#hosts.findAddresses(this.#toAscii(host), referral, keeper)
    if (hosts.length > 0) return { kind: 'found', hosts, isFromMx: false, bestPreference: 0 }
    return { kind: 'failed', failure: orUnknown(keeper.failure, host) }
  }

  /** What certificates a server may show (RFC 6698 3). `hostName`: a name of DnsFacts. */
  async findTlsa(hostName: string, port: number): Promise<TlsaLookup> {
    const answer = await this.#hosts.query(`_${port}._tcp.${hostName}`, 'TLSA')
    switch (answer.kind) {
      case 'found':
        return { kind: 'found', records: answer.records.map(tlsaRecord), isSecure: answer.isSecure }
      case 'notFound':
      case 'noData':
        return { kind: 'missing', isSecure: answer.isSecure === true }
      default:
        return { kind: 'failed', text: answer.reason }
    }
  }

  async #findReferred(
    domain: string,
    referrals: readonly Referral[],
    type: 'MX' | 'SRV',
  ): Promise<ServerLookup> {
    const keeper = new FailureKeeper()
    const hosts: ServerHost[] = []
    for (const referral of referrals) {
      if (hosts.length >= MAX_ADDRESSES) {
        log.warning(`too many addresses for ${domain}: the rest is ignored`)
        break
      }
      const found = await this.#hosts.findAddresses(referral.host, referral, keeper)
      // those of a service keep their order from here on
      hosts.push(...(type === 'MX' ? found : orderAddresses(found, this.#options.order)))
    }
    const bestPreference = referrals[0]?.preference ?? 0
    if (hosts.length > 0) {
      hosts.length = Math.min(hosts.length, MAX_ADDRESSES)
      return { kind: 'found', hosts, isFromMx: true, bestPreference }
    }
    log.warning(`no ${type} host for ${domain} has a valid address record`)
    const failure = orUnknown(keeper.failure, domain)
    if (!this.#options.defersWithoutMxAddress) return { kind: 'failed', failure }
    return { kind: 'failed', failure: { ...failure, dsn: `4${failure.dsn.slice(1)}` } }
  }

  #toAscii(name: string): string {
    return toAsciiName(name, this.#options.hasTransitionalNames)
  }
}

function tlsaRecord(record: DnsRecord<'TLSA'>): TlsaRecord {
  const { usage, selector, matchingType, certificate } = record
  return { usage, selector, matchingType, data: certificate.toString('latin1') }
}

function orUnknown(failure: Failure | undefined, host: string): Failure {
  return failure ?? localFailure('4.4.4', `${host}: host not found`)
}
