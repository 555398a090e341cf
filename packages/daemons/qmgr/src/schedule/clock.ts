/**
 * clock - the time and the timers of the scheduler
 *
 * The scheduling code takes its time from here, so that a test can run a day of deliveries in a millisecond.
 */
export interface Timer {
  cancel: () => void
}

export interface Clock {
  /** Wall clock in milliseconds. */
  nowMs: () => number
  /** Whole seconds, as the scheduler counts. */
  nowSeconds: () => number
  after: (seconds: number, expired: () => void) => Timer
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowSeconds: () => Math.floor(Date.now() / 1000),
  after(seconds, expired) {
    const timer = setTimeout(expired, seconds * 1000)
    timer.unref()
    return {
      cancel: () => {
        clearTimeout(timer)
      },
    }
  },
}
