/**
 * period - the span of time that one report covers: a day of UTC, unless tlsrpt_report_interval says otherwise
 */

/** Wall-clock time in seconds since 1970; the end is the beginning of the next one. */
export interface Period {
  readonly startSeconds: number
  readonly endSeconds: number
}

/** Periods follow each other from 1970 on, so that days begin at midnight UTC (RFC 8460 4.1). */
export function periodAt(ms: number, intervalSeconds: number): Period {
  const startSeconds = Math.floor(ms / 1000 / intervalSeconds) * intervalSeconds
  return { startSeconds, endSeconds: startSeconds + intervalSeconds }
}

/** `2026-11-30T00:00:00Z` (RFC 3339) */
export function formatInstant(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
