/**
 * request-deadline - the time limit of a request as a whole (smtpd_per_request_deadline)
 *
 * Off, each read has smtpd_timeout for itself. On (the default under stress), the whole request has it, and
 * content earns time by arriving at smtpd_min_data_rate: a client that sends an octet now and then no longer
 * holds its place for hours.
 */
import type { Session } from './session.ts'

export interface RequestDeadline {
  /** `octets` of content have arrived since the request began. */
  extend: (octets: number) => void
}

/** Starts the clock of a request. */
export function requestDeadline(session: Session): RequestDeadline {
  const { isRequestDeadline, timeoutMs, leastDataRate } = session.host.settings
  if (!isRequestDeadline) return { extend: () => undefined }
  const startMs = Date.now()
  session.stream.deadlineMs = startMs + timeoutMs
  return {
    extend: (octets) => {
      const earnedMs = (octets / leastDataRate) * 1000
      session.stream.deadlineMs = Math.min(startMs + timeoutMs + earnedMs, Date.now() + timeoutMs)
    },
  }
}
