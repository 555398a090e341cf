/**
 * failure-memory - what went wrong with a domain lately, so that it is not tried again at once
 *
 * By id of the policy: a domain that mends its policy has a new one, which may be fetched immediately. Without an id DNS gave no
 * answer.
 * Limit: 10 000 domains; beyond that the oldest is forgotten, and tried again sooner.
 * Source: RFC 8461 3.3 (five minutes at least).
 */
import type { PolicyFailure } from './mtasts-error.ts'

const ENTRIES_LIMIT = 10_000

interface Failure {
  readonly id: string | undefined
  readonly failure: PolicyFailure
  readonly untilSeconds: number
}

export class FailureMemory {
  readonly #now: () => number
  readonly #failures = new Map<string, Failure>()

  /** `now`: seconds since 1970. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** `id` undefined: the record could not be looked up. */
  find(domain: string, id: string | undefined): PolicyFailure | undefined {
    const found = this.#failures.get(domain)
    if (found?.id !== id) return undefined
    if (found !== undefined && found.untilSeconds > this.#now()) return found.failure
    this.#failures.delete(domain)
    return undefined
  }

  note(domain: string, id: string | undefined, failure: PolicyFailure, forSeconds: number): void {
    this.#failures.delete(domain)
    this.#failures.set(domain, { id, failure, untilSeconds: this.#now() + forSeconds })
    if (this.#failures.size <= ENTRIES_LIMIT) return
    const [oldest] = this.#failures.keys()
    if (oldest !== undefined) this.#failures.delete(oldest)
  }
}
