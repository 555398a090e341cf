/**
 * period-results - the TLS results of one period: sessions by domain and policy, failures by all that is known of them
 *
 * What RFC 8460 4.3 to 4.5 wants to be told. The record that asks for reports is the last one seen.
 * Limits: domains and octets of a period, policies and octets of a domain, failures of a policy. A session beyond them is
 * left out, or counted without its details; how many were is in leftOutCount.
 */
import { isValidHostname } from '@posthorn/address/hostname'
import type {
  TlsrptFailure,
  TlsrptPolicy,
  TlsrptPolicyType,
  TlsrptRequest,
} from '@posthorn/wire/tlsrpt-protocol'
import { TlsrptError } from '@posthorn/wire/wire-error'

export interface FailureCount {
  readonly failure: TlsrptFailure
  count: number
}

export interface PolicyResults {
  readonly type: TlsrptPolicyType
  readonly domain: string
  readonly strings: readonly string[]
  readonly mxHostPatterns: readonly string[]
  successCount: number
  failureCount: number
  readonly failures: Map<string, FailureCount>
}

export interface DomainResults {
  /** The `_smtp._tls` TXT record. */
  record: string
  readonly policies: Map<string, PolicyResults>
  /** What the keys take. */
  octets: number
}

export interface PeriodLimits {
  readonly domains: number
  readonly octets: number
  readonly octetsOfDomain: number
  readonly policiesOfDomain: number
  /** Not beyond what one datagram may carry: the file that keeps the results has its form. */
  readonly failuresOfPolicy: number
}

export const PERIOD_LIMITS: PeriodLimits = {
  domains: 20_000,
  octets: 32 * 1024 * 1024,
  octetsOfDomain: 512 * 1024,
  policiesOfDomain: 16,
  failuresOfPolicy: 100,
}

/** Sessions, as they are added. */
export interface SessionCounts {
  readonly successCount: number
  readonly failureCount: number
  /** Of the failures, in their order. */
  readonly counts: readonly number[]
}

/** In lower case, without a dot at the end; it becomes part of file names and headers. @throws {TlsrptError} */
function domainKey(name: string): string {
  const domain = name.replace(/\.$/, '').toLowerCase()
  if (isValidHostname(domain)) return domain
  throw new TlsrptError(`Cannot count a TLS result for "${name}": no domain`)
}

export class PeriodResults {
  readonly #domains = new Map<string, DomainResults>()
  readonly #limits: PeriodLimits
  #octets = 0
  #leftOutCount = 0

  constructor(limits: PeriodLimits = PERIOD_LIMITS) {
    this.#limits = limits
  }

  get domains(): ReadonlyMap<string, DomainResults> {
    return this.#domains
  }

  /** Sessions and failures for which there was no room. */
  get leftOutCount(): number {
    return this.#leftOutCount
  }

  /** One session. @throws {TlsrptError} its domain is none */
  add(request: TlsrptRequest): void {
    for (const policy of request.policies) {
      this.addSessions(request, policy, {
        successCount: policy.isSuccess ? 1 : 0,
        failureCount: policy.isSuccess ? 0 : 1,
        counts: policy.failures.map(() => 1),
      })
    }
  }

  /** Many sessions with one policy, as they were counted before. @throws {TlsrptError} */
  addSessions(
    request: Pick<TlsrptRequest, 'recipientDomain' | 'record'>,
    policy: TlsrptPolicy,
    counted: SessionCounts,
  ): void {
    const domain = this.#domain(domainKey(request.recipientDomain), request.record)
    const results = domain === undefined ? undefined : this.#policy(domain, policy)
    if (domain === undefined || results === undefined) {
      this.#leftOutCount += counted.successCount + counted.failureCount
      return
    }
    results.successCount += counted.successCount
    results.failureCount += counted.failureCount
    policy.failures.forEach((failure, index) => {
      this.#addFailure(domain, results, failure, counted.counts[index] ?? 1)
    })
  }

  #domain(name: string, record: string): DomainResults | undefined {
    const known = this.#domains.get(name)
    if (known !== undefined) {
      known.record = record
      return known
    }
    if (this.#domains.size >= this.#limits.domains) return undefined
    const fresh: DomainResults = { record, policies: new Map(), octets: 0 }
    if (!this.#takeRoom(fresh, name.length + record.length)) return undefined
    this.#domains.set(name, fresh)
    return fresh
  }

  #policy(domain: DomainResults, policy: TlsrptPolicy): PolicyResults | undefined {
    const { type, strings, mxHostPatterns } = policy
    const key = JSON.stringify([type, policy.domain, strings, mxHostPatterns])
    const known = domain.policies.get(key)
    if (known !== undefined) return known
    if (domain.policies.size >= this.#limits.policiesOfDomain) return undefined
    if (!this.#takeRoom(domain, key.length)) return undefined
    const fresh: PolicyResults = {
      ...{ type, domain: policy.domain, strings, mxHostPatterns },
      ...{ successCount: 0, failureCount: 0, failures: new Map<string, FailureCount>() },
    }
    domain.policies.set(key, fresh)
    return fresh
  }

  #addFailure(
    domain: DomainResults,
    results: PolicyResults,
    failure: TlsrptFailure,
    count: number,
  ): void {
    const key = JSON.stringify([
      ...[failure.code, failure.sendingMtaIp, failure.receivingMxHostname, failure.receivingMxHelo],
      ...[failure.receivingIp, failure.additionalInformation, failure.failureReasonCode],
    ])
    const known = results.failures.get(key)
    if (known !== undefined) {
      known.count += count
      return
    }
    const hasPlace = results.failures.size < this.#limits.failuresOfPolicy
    if (!hasPlace || !this.#takeRoom(domain, key.length)) this.#leftOutCount += count
    else results.failures.set(key, { failure, count })
  }

  #takeRoom(domain: DomainResults, octets: number): boolean {
    const { octetsOfDomain } = this.#limits
    if (domain.octets + octets > octetsOfDomain) return false
    if (this.#octets + octets > this.#limits.octets) return false
    domain.octets += octets
    this.#octets += octets
    return true
  }
}
