/**
 * heap-care - gives memory back when a daemon has nothing more to do
 *
 * V8 collects garbage when it needs room, so what the last messages left behind stays with a process that has gone
 * quiet: 317 MB instead of 209 for a whole system after 30,000 messages (docs/performance.md).
 */
import { native } from './load.ts'

const TICK_MS = 2000
/** CPU time in a tick. */
const WORK_US = 100_000
const QUIET_US = 10_000

/** One collection of everything, 10 to 40 ms, in the first quiet moment after work. */
export function careForHeap(): void {
  let lastUs = 0
  let hasWorked = false
  setInterval(() => {
    const { user, system } = process.cpuUsage()
    const usedUs = user + system - lastUs
    lastUs = user + system
    if (usedUs > WORK_US) {
      hasWorked = true
    } else if (hasWorked && usedUs < QUIET_US) {
      hasWorked = false
      native.collectGarbage()
    }
  }, TICK_MS).unref()
}
