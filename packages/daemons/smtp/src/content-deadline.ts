/**
 * content-deadline - how long a server may take for the text of a message, with smtp_per_request_deadline
 *
 * Begins with smtp_data_xfer_timeout. Waiting uses it up, octets that went out earn time at smtp_min_data_rate, and
 * there is never more of it than at the beginning: a server that was fast for long cannot be slow for longer.
 * Source: Postfix 3.7 postconf(5), smtp_min_data_rate.
 */
export class ContentDeadline {
  readonly #limitMs: number
  readonly #octetsPerMs: number
  #leftMs: number

  /** `minDataRate`: octets per second. */
  constructor(limitMs: number, minDataRate: number) {
    this.#limitMs = limitMs
    this.#octetsPerMs = minDataRate / 1000
    this.#leftMs = limitMs
  }

  /** How long the next write may take. */
  get leftMs(): number {
    return this.#leftMs
  }

  /** After a write. */
  wrote(octets: number, elapsedMs: number): void {
    const earnedMs = octets / this.#octetsPerMs
    this.#leftMs = Math.min(this.#limitMs, this.#leftMs - elapsedMs + earnedMs)
  }
}
