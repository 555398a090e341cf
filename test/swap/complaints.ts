/**
 * complaints - lines of a log that say that something is wrong
 */
import type { Test } from 'tap'

/** Warnings although nothing is wrong. */
const HARMLESS: readonly RegExp[] = [
  /postfix-script\[\d+\]: warning: /,
  /warning: (dict_nis_init|smtputf8_enable is true, but EAI support)/,
  /warning: process .*\/(postlogd|master) /,
  // time(2) of Linux lags a tick behind the time stamps of files, so that now and then they are in different seconds
  /warning: (file system clock is 1 seconds ahead of local clock|resetting file time stamps)/,
  /warning: TLS server role is disabled with tlsproxy_tls_security_level/,
]

/** The warnings, and worse, but those that are expected. */
function complaintsIn(log: string, expected: readonly RegExp[]): string[] {
  return log
    .split('\n')
    .filter((line) => /: (warning|error|fatal|panic): /.test(line))
    .filter((line) => ![...HARMLESS, ...expected].some((pattern) => pattern.test(line)))
}

/** No daemon complained. What the log said at last is shown with whatever went wrong before. */
export function checkLog(t: Test, log: string, expected: readonly RegExp[] = []): void {
  const complaints = complaintsIn(log, expected)
  t.same(complaints, [], `no daemon complained: ${complaints.join(' | ') || 'none'}`)
  if (!t.passing()) t.comment(log.split('\n').slice(-60).join('\n'))
}
