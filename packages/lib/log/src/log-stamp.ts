/**
 * log-stamp - the time at the head of a log line
 *
 * Local time in the C locale. maillog_file lines have a zero-padded day ("Nov 05"), syslog's RFC 3164 4.1.2
 * wants a blank-padded one ("Nov  5"). Both are kept for the second they describe: a busy daemon formats a
 * date once a second.
 */

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

const twoDigits = (value: number): string => String(value).padStart(2, '0')

/** 'Nov 05 23:03:11' for the local time of `atMs`; `dayPadding` as the sink wants it. */
export function formatLogStamp(atMs: number, dayPadding: '0' | ' '): string {
  const at = new Date(atMs)
  const day = String(at.getDate()).padStart(2, dayPadding)
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':')
  return `${MONTHS[at.getMonth()] ?? ''} ${day} ${clock}`
}

/** A formatter that remembers the current second. */
export function logStampClock(dayPadding: '0' | ' '): () => string {
  let second = -1
  let stamp = ''
  return () => {
    const now = Date.now()
    const current = Math.floor(now / 1000)
    if (current !== second) {
      second = current
      stamp = formatLogStamp(now, dayPadding)
    }
    return stamp
  }
}
