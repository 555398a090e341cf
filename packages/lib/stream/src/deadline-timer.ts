/**
 * deadline-timer - one coarse timer for all deadlines of the process
 *
 * A timer per wait costs 8 to 25 us a message (docs/performance.md 9); here a deadline costs one entry in a Set. Most are
 * cancelled, and the timer is not touched for those: it wakes for the earliest deadline that it knew of, walks all, and
 * sleeps until the earliest that is left. The price is that a deadline may come up to 50 ms late.
 *
 * The timer does not keep the process alive: what is waited for must do that.
 */

const COARSE_MS = 50
const LONGEST_MS = 0x7fffffff // what setTimeout() can count

export interface Deadline {
  /** Harmless when expired or cancelled. */
  cancel: () => void
}

interface Entry extends Deadline {
  readonly atMs: number
  readonly expired: () => void
}

const entries = new Set<Entry>()
let timer: NodeJS.Timeout | undefined
let wakeAtMs = Infinity

/** Calls `expired` once, when `Date.now()` has reached `atMs`. What it throws becomes an uncaught exception. */
export function scheduleDeadline(atMs: number, expired: () => void): Deadline {
  const entry: Entry = {
    atMs,
    expired,
    cancel() {
      entries.delete(entry)
    },
  }
  entries.add(entry)
  if (atMs < wakeAtMs) sleepUntil(atMs)
  return entry
}

function sleepUntil(atMs: number): void {
  clearTimeout(timer)
  wakeAtMs = atMs
  const delayMs = Math.min(Math.max(atMs - Date.now(), COARSE_MS), LONGEST_MS)
  timer = setTimeout(walk, delayMs)
  timer.unref()
}

function walk(): void {
  const nowMs = Date.now()
  const due = [...entries].filter((entry) => entry.atMs <= nowMs)
  for (const entry of due) {
    // an earlier one may have cancelled this
    if (!entries.delete(entry)) continue
    try {
      entry.expired()
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }
  wakeAtMs = Infinity
  let next = Infinity
  for (const entry of entries) next = Math.min(next, entry.atMs)
  if (next !== Infinity) sleepUntil(next)
}
