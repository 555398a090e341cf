/**
 * answer-cache - remembers outcomes of DNS lookups for as long as their records say
 *
 * Holds at most `limit` outcomes; the one that was stored first goes first. Times are capped: a TTL of a
 * month must not outlive an administrator's patience, and a wrong negative answer even less (RFC 2308 5).
 */
import type { DnsAnswer } from './dns-answer.ts'

const MAX_POSITIVE_SECONDS = 86_400
const MAX_NEGATIVE_SECONDS = 900

export class AnswerCache {
  readonly #entries = new Map<string, { answer: DnsAnswer; untilMs: number }>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  find(key: string, nowMs = Date.now()): DnsAnswer | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.untilMs > nowMs) return entry.answer
    this.#entries.delete(key)
    return undefined
  }

  /** Outcomes that a server could not give (tryAgain, failed, invalid) come with 0 seconds and are not kept. */
  store(key: string, answer: DnsAnswer, ttlSeconds: number, nowMs = Date.now()): void {
    const most = answer.kind === 'found' ? MAX_POSITIVE_SECONDS : MAX_NEGATIVE_SECONDS
    const seconds = Math.min(ttlSeconds, most)
    if (seconds <= 0) return
    this.#entries.delete(key)
    if (this.#entries.size >= this.#limit) {
      const oldest = this.#entries.keys().next()
      if (oldest.done !== true) this.#entries.delete(oldest.value)
    }
    this.#entries.set(key, { answer, untilMs: nowMs + seconds * 1000 })
  }
}
