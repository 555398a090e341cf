/**
 * fail - the end of sendmail(1) when it cannot do what it was asked
 *
 * Postfix's sendmail(1) ends with 75 (EX_TEMPFAIL) whatever went wrong: programs that submit mail then keep it.
 */
import { flushLog, logAt } from '@posthorn/log/log'

const EX_TEMPFAIL = 75

export function fail(text: string): never {
  logAt('fatal', text)
  flushLog()
  // eslint-disable-next-line n/no-process-exit -- a command ends here
  process.exit(EX_TEMPFAIL)
}
