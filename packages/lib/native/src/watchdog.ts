/**
 * watchdog - ends this process when its event loop hangs
 *
 * Source: alarm(2). SIGALRM keeps its default effect, so nothing has to run in the hanging process.
 */
import { native } from './load.ts'

/** Winds itself up from the event loop; the process dies by SIGALRM when that did not happen for `limitSeconds`. */
export function startWatchdog(limitSeconds: number): void {
  native.setAlarm(limitSeconds)
  setInterval(() => {
    native.setAlarm(limitSeconds)
  }, limitSeconds * 500).unref()
}
