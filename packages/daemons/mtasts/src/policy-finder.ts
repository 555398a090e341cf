/**
 * policy-finder - which policy a domain has: what we know, what DNS says, what HTTPS says
 *
 *     TXT record        in the cache               not in the cache
 *     the same id       as it is                   -
 *     another id        fetched anew; if that      fetched; if that fails there is no policy,
 *                       fails, as it is            and no second try for retrySeconds
 *     none, or broken   as it is                   no policy
 *     cannot be known   as it is                   no policy; asked again after a minute
 *
 * Questions about a domain while it is being looked for share the answer. A failed fetch never hides a policy that has not expired. When too
 * many policies are being fetched, whoever has none yet is told to try again: an attacker must not get plaintext by keeping us busy.
 * A record that was looked at within the last minute is not looked at again for a policy that we have.
 *
 * Source: RFC 8461 3.1, 3.3, 5.1, 10.2.
 */
import type { DnsAnswer } from '@posthorn/dns/dns-answer'
import { log } from '@posthorn/log/log'
import type { FailureMemory } from './failure-memory.ts'
import type { FetchSlots } from './fetch-slots.ts'
import { FetchesBusyError, PolicyError } from './mtasts-error.ts'
import type { PolicyAnswer } from './policy-answer.ts'
import type { PolicyCache } from './policy-cache.ts'
import { expirySeconds, type PolicyEntry } from './policy-entry.ts'
import type { FetchPolicy } from './policy-fetcher.ts'
import { parsePolicy, type StsPolicy } from './sts-policy.ts'
import { findPolicyId } from './sts-record.ts'

export interface FinderOptions {
  readonly cache: PolicyCache
  readonly failures: FailureMemory
  readonly slots: FetchSlots
  readonly fetch: FetchPolicy
  readonly queryTxt: (name: string) => Promise<DnsAnswer<'TXT'>>
  /** No second try for an id that failed before. */
  readonly retrySeconds: number
  /** Seconds since 1970. */
  readonly now: () => number
}

const CHECK_SECONDS = 60

type Fetched =
  | { readonly kind: 'fetched'; readonly policy: StsPolicy }
  | { readonly kind: 'broken'; readonly error: PolicyError }
  | { readonly kind: 'busy'; readonly reason: string }

export class PolicyFinder {
  readonly #options: FinderOptions
  readonly #finding = new Map<string, Promise<PolicyAnswer>>()
  readonly #fetching = new Map<string, Promise<Fetched>>()
  /** Of domains with a policy: when their record has to be looked at again. */
  readonly #checkAfter = new Map<string, number>()

  constructor(options: FinderOptions) {
    this.#options = options
  }

  /** `domain`: in lower case, ASCII. Never rejects, except by a fault of ours. */
  async find(domain: string): Promise<PolicyAnswer> {
    const known = this.#options.cache.find(domain)
    if (known !== undefined) {
      this.#options.cache.noteUse(domain)
      if ((this.#checkAfter.get(domain) ?? 0) > this.#options.now()) return this.#applied(known)
    }
    return share(this.#finding, domain, async () => this.#discover(domain))
  }

  /**
   * Fetches the policy of a domain anew, whatever its id, so that it does not expire.
   * @returns why that failed; undefined: it did not
   */
  async refresh(domain: string): Promise<string | undefined> {
    const record = await this.#readRecord(domain)
    if (record.kind !== 'found') return record.reason
    const fetched = await this.#fetch(domain, record.id)
    switch (fetched.kind) {
      case 'fetched':
        return undefined
      case 'broken':
        return fetched.error.message
      case 'busy':
        return fetched.reason
    }
  }

  async #discover(domain: string): Promise<PolicyAnswer> {
    const { cache, failures } = this.#options
    const known = cache.find(domain)
    if (known === undefined && failures.find(domain, undefined) !== undefined) {
      return { kind: 'absent' }
    }
    const record = await this.#readRecord(domain)
    if (record.kind !== 'found') {
      if (record.kind === 'unknown') {
        failures.note(domain, undefined, 'sts-policy-fetch-error', CHECK_SECONDS)
      }
      return known === undefined ? { kind: 'absent' } : this.#checked(domain, known)
    }
    const { id } = record
    if (known?.id === id) return this.#checked(domain, known)
    const failure = failures.find(domain, id)
    if (failure !== undefined) {
      return known === undefined ? { kind: 'broken', failure } : this.#checked(domain, known)
    }
    const fetched = await this.#fetch(domain, id)
    if (fetched.kind === 'fetched') {
      const { policy } = fetched
      return { kind: 'policy', policy, remainingSeconds: policy.maxAgeSeconds }
    }
    if (fetched.kind === 'broken') {
      const { failure, message } = fetched.error
      const until = known === undefined ? '' : `; the one with id ${known.id} stays in force`
      log.warning(`${domain}: no policy ${id}: ${message} (${failure})${until}`)
      failures.note(domain, id, failure, this.#options.retrySeconds)
    }
    // looked for again: it may have expired meanwhile
    const still = cache.find(domain)
    if (still !== undefined) return this.#checked(domain, still)
    if (fetched.kind === 'busy') return { kind: 'tryAgain', reason: fetched.reason }
    return { kind: 'broken', failure: fetched.error.failure }
  }

  #checked(domain: string, known: PolicyEntry): PolicyAnswer {
    const { cache, now } = this.#options
    // what is not in the cache any more need not be remembered here
    if (this.#checkAfter.size > 2 * cache.size + 100) this.#checkAfter.clear()
    this.#checkAfter.set(domain, now() + CHECK_SECONDS)
    return this.#applied(known)
  }

  #applied(entry: PolicyEntry): PolicyAnswer {
    const remainingSeconds = Math.max(0, expirySeconds(entry) - this.#options.now())
    return { kind: 'policy', policy: entry.policy, remainingSeconds }
  }

  async #readRecord(
    domain: string,
  ): Promise<
    | { readonly kind: 'found'; readonly id: string }
    | { readonly kind: 'absent' | 'unknown'; readonly reason: string }
  > {
    const answer = await this.#options.queryTxt(`_mta-sts.${domain}`)
    if (answer.kind !== 'found') {
      const isUnknown = answer.kind === 'tryAgain' || answer.kind === 'failed'
      return { kind: isUnknown ? 'unknown' : 'absent', reason: answer.reason }
    }
    const id = findPolicyId(answer.records.map(({ text }) => text))
    if (id !== undefined) return { kind: 'found', id }
    return { kind: 'absent', reason: `_mta-sts.${domain} has not one valid record` }
  }

  async #fetch(domain: string, id: string): Promise<Fetched> {
    return share(this.#fetching, domain, async () => {
      try {
        const text = await this.#options.slots.run(async () => this.#options.fetch(domain))
        const policy = parsePolicy(text)
        this.#keep(domain, id, policy)
        return { kind: 'fetched', policy }
      } catch (error) {
        if (error instanceof PolicyError) return { kind: 'broken', error }
        if (error instanceof FetchesBusyError) return { kind: 'busy', reason: error.message }
        throw error
      }
    })
  }

  #keep(domain: string, id: string, policy: StsPolicy): void {
    const { cache, now } = this.#options
    const before = cache.find(domain)
    this.#checkAfter.set(domain, now() + CHECK_SECONDS)
    const isStored = cache.store(domain, id, policy)
    const news = `${domain}: policy ${id} mode ${policy.mode}, max_age ${policy.maxAgeSeconds}`
    if (!isStored) log.warning(`${news}, not kept: the cache is full`)
    else if (before?.id !== id || !isSame(before.policy, policy)) log.info(news)
  }
}

function isSame(one: StsPolicy, other: StsPolicy): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** What is under way for this key, or `begin()`. */
async function share<Value>(
  underWay: Map<string, Promise<Value>>,
  key: string,
  begin: () => Promise<Value>,
): Promise<Value> {
  const running = underWay.get(key)
  if (running !== undefined) return running
  const started = begin().finally(() => underWay.delete(key))
  underWay.set(key, started)
  return started
}
