/**
 * stress-gauge - whether a service is short of processes, and whether that was said
 *
 * Stress lasts 1000 seconds from the last time that the service needed its last process; the limit is complained about at most
 * as often. Pure: times come in. Source: Postfix 3.7 STRESS_README.
 */

const STRESS_MS = 1_000_000

export class StressGauge {
  #untilMs = 0
  #warnedMs = -Infinity

  isActive(nowMs: number): boolean {
    return nowMs < this.#untilMs
  }

  /** The service needs its last process. True: that is new, and processes must be told. */
  rise(nowMs: number): boolean {
    const isNew = !this.isActive(nowMs)
    this.#untilMs = nowMs + STRESS_MS
    return isNew
  }

  /** True at most once in 1000 seconds. */
  shouldWarn(nowMs: number): boolean {
    if (nowMs < this.#warnedMs + STRESS_MS) return false
    this.#warnedMs = nowMs
    return true
  }
}
