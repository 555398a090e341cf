/**
 * format-delay - times in the log with two significant digits: 0.05, 1.3, 42
 *
 * Source: Postfix 3.7, delay= and delays= with delay_logging_resolution_limit.
 */

const SECOND = 1_000_000
const wholeSecondDigits = 10 * SECOND

/** `limitDigits`: at most so many digits after the point. Negative times print as 0. */
export function formatDelay(ms: number, limitDigits: number): string {
  let us = Math.max(0, Math.round(ms * 1000))
  let resolution = SECOND / 10 ** limitDigits
  if (limitDigits > 0) {
    if (us >= wholeSecondDigits) resolution = SECOND
    else if (us >= SECOND) resolution = SECOND / 10
    else while (us >= 100 * resolution) resolution *= 10
  }
  us += Math.floor(resolution / 2) // round half up
  const seconds = Math.floor(us / SECOND)
  let rest = us - seconds * SECOND
  if (rest < resolution || resolution >= SECOND) return String(seconds)
  let text = `${seconds}.`
  for (let unit = SECOND / 10; rest >= resolution; unit /= 10) {
    const digit = Math.floor(rest / unit)
    text += String(digit)
    rest -= digit * unit
  }
  return text
}
