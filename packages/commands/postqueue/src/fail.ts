/**
 * fail - the end of postqueue(1) when it cannot do what it was asked
 *
 * Postfix's postqueue(1) ends with 69 (EX_UNAVAILABLE) whatever went wrong, and scripts know it.
 */
import { flushLog, logAt } from '@posthorn/log/log'

const EX_UNAVAILABLE = 69

export function fail(text: string): never {
  logAt('fatal', text)
  flushLog()
  // eslint-disable-next-line n/no-process-exit -- a command ends here
  process.exit(EX_UNAVAILABLE)
}
