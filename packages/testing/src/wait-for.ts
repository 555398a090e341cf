/**
 * wait-for - waits until something that another process or turn does has happened
 *
 * For tests that cannot be told: a file that a daemon writes, a line in a log. Asks every few milliseconds,
 * and fails by a deadline instead of hanging.
 */
import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 5

/**
 * The first value of `condition` that is neither undefined nor false.
 *
 * @throws {Error} when there is none in `timeoutMs`; `what` says what was waited for
 */
export async function waitFor<Value>(
  condition: () => Value | undefined | false | Promise<Value | undefined | false>,
  what = 'the condition',
  timeoutMs = 5000,
): Promise<Value> {
  const deadlineMs = Date.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadlineMs) throw new Error(`Cannot wait for ${what}: ${timeoutMs} ms passed`)
    await pause(POLL_MS)
  }
}
