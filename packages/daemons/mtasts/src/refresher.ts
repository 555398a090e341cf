/**
 * refresher - fetches policies anew before they expire
 *
 * Who keeps us from fetching a policy cannot wait for the old one to expire, unless they manage for all of its max_age. A policy is
 * refreshed once a day, sooner when it lives shorter than two days, as long as somebody has asked for it within the last month and
 * its mode is not `none`. A failure is logged, and tried again after an hour; the old policy stays.
 *
 * Limits: looks every 10 minutes; 5 policies at once, which leaves most of the room to those who wait for an answer.
 * Source: RFC 8461 3.3, 10.2.
 */
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import type { PolicyCache } from './policy-cache.ts'
import { expirySeconds, type PolicyEntry } from './policy-entry.ts'
import type { PolicyFinder } from './policy-finder.ts'

const DAY_SECONDS = 86_400
const IN_USE_SECONDS = 30 * DAY_SECONDS
const AGAIN_SECONDS = 3600
const INTERVAL_MS = 600_000
const AT_ONCE = 5

export class Refresher {
  readonly #cache: PolicyCache
  readonly #finder: PolicyFinder
  readonly #now: () => number
  /** Domains whose last refresh failed: not before this. */
  readonly #notBefore = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  /** `now`: seconds since 1970. */
  constructor(cache: PolicyCache, finder: PolicyFinder, now: () => number) {
    this.#cache = cache
    this.#finder = finder
    this.#now = now
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.run().catch((error: unknown) => {
        log.warning(`cannot refresh policies: ${errorReason(error)}`)
      })
    }, INTERVAL_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** One round; if one is under way, that one. */
  async run(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #round(): Promise<void> {
    const now = this.#now()
    for (const [domain, at] of this.#notBefore) if (at <= now) this.#notBefore.delete(domain)
    const due = this.#cache
      .entries()
      .filter(([domain, entry]) => isDue(entry, now) && !this.#notBefore.has(domain))
      .values()
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        // one iterator: each takes the next that is left
        for (const [domain, entry] of due) await this.#refresh(domain, entry)
      }),
    )
    await this.#cache.tidy()
  }

  async #refresh(domain: string, entry: PolicyEntry): Promise<void> {
    const reason = await this.#finder.refresh(domain)
    if (reason === undefined) return
    this.#notBefore.set(domain, this.#now() + AGAIN_SECONDS)
    const days = Math.floor((expirySeconds(entry) - this.#now()) / DAY_SECONDS)
    log.warning(
      `${domain}: cannot refresh policy ${entry.id}, in force for ${days} days: ${reason}`,
    )
  }
}

function isDue({ policy, fetchedSeconds, usedSeconds }: PolicyEntry, now: number): boolean {
  const afterSeconds = Math.min(DAY_SECONDS, policy.maxAgeSeconds / 2)
  const isInUse = now - usedSeconds < IN_USE_SECONDS
  return policy.mode !== 'none' && isInUse && now - fetchedSeconds >= afterSeconds
}
