/**
 * concurrency-window - how many deliveries to one destination may run at once
 *
 * A good delivery widens the window, a delivery that could not reach the destination narrows it, and enough of
 * the latter in a row declare the destination dead. Adjustments come in whole steps; what is short of a step
 * waits in an accumulator.
 *
 *     success ──▶ size += 1 while size < busy + initial      failure ──▶ size -= 1 (two at first), at least 1
 *                                                            failure ──▶ cohorts += 1/size; at the limit: dead
 *
 * Source: Postfix 3.7 SCHEDULER_README, "Concurrency scheduling".
 */
import { type Feedback, feedbackAt } from './feedback.ts'

export interface WindowSettings {
  /** 0 = no limit. */
  readonly limit: number
  readonly initial: number
  readonly positive: Feedback
  readonly negative: Feedback
  /** Pseudo-cohorts of failures that declare a destination dead; 0 = never. */
  readonly failedCohortLimit: number
}

export class ConcurrencyWindow {
  readonly settings: WindowSettings
  size: number
  success = 0
  failure = 0
  failedCohorts = 0

  constructor(settings: WindowSettings) {
    this.settings = settings
    this.size = settings.initial
  }

  /** @param busy deliveries in progress, the one that just succeeded included */
  widen(busy: number): void {
    const { limit, initial, positive } = this.settings
    this.failedCohorts = 0
    if ((limit > 0 && this.size >= limit) || this.size >= busy + initial) return
    const step = feedbackAt(positive, this.size)
    this.success += step
    while (this.success + step / 2 >= 1) {
      this.size += 1
      this.success -= 1
      this.failure = 0
    }
    if (limit > 0) this.size = Math.min(this.size, limit)
  }

  narrow(): 'alive' | 'dead' {
    const { negative, failedCohortLimit } = this.settings
    this.failedCohorts += 1 / this.size
    if (failedCohortLimit > 0 && this.failedCohorts >= failedCohortLimit) return 'dead'
    const step = feedbackAt(negative, this.size)
    this.failure -= step
    while (this.failure - step / 2 < 0) {
      this.size -= 1
      this.success = 0
      this.failure += 1
    }
    this.size = Math.max(this.size, 1)
    return 'alive'
  }

  /** A fresh start for a destination that was dead. */
  restart(busy: number): void {
    this.size = busy > 0 ? busy : this.settings.initial
    this.success = 0
    this.failure = 0
    this.failedCohorts = 0
  }
}
