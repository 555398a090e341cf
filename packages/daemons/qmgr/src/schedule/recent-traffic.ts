/**
 * recent-traffic - destinations whose mail has just run out, and went back to back until then
 *
 * A destination without mail is forgotten, and with it that its connections are to be kept. When mail comes about as fast as it
 * goes out, that happens several times a second; the next message would then open a connection beside those that wait, and
 * try a dead MX host once more.
 *
 * Limits: a second after the last delivery, and `limit` names.
 */
const BACK_TO_BACK_SECONDS = 1
const LIMIT = 10_000

export class RecentTraffic {
  /** When the last delivery ended; the oldest first. */
  readonly #completions = new Map<string, number>()
  readonly #limit: number

  constructor(limit = LIMIT) {
    this.#limit = limit
  }

  get size(): number {
    return this.#completions.size
  }

  remember(name: string, completionSeconds: number): void {
    this.#completions.delete(name)
    this.#completions.set(name, completionSeconds)
    for (const [oldest, seconds] of this.#completions) {
      const isOver = seconds + BACK_TO_BACK_SECONDS < completionSeconds
      if (!isOver && this.#completions.size <= this.#limit) break
      this.#completions.delete(oldest)
    }
  }

  /** When the last delivery to it ended, as Destination has it; 0: nobody remembers. */
  take(name: string): number {
    const seconds = this.#completions.get(name)
    if (seconds === undefined) return 0
    this.#completions.delete(name)
    return seconds
  }
}
