/**
 * problem - why a transport or a destination gets no deliveries now
 */
export interface Problem {
  /** Enhanced status code, RFC 3463. */
  readonly status: string
  readonly reason: string
}

/** The next-hop with which the retry service reports a problem: `4.3.0 mail transport unavailable`. */
export function problemNexthop(problem: Problem): string {
  return `${problem.status} ${problem.reason}`
}

/** What a delivery agent said about the destination, made fit for use (Postfix 3.7 qmgr(8)). */
export function sanitizeProblem(problem: Problem): Problem {
  return {
    status: /^[245]\.\d{1,3}\.\d{1,3}$/.test(problem.status) ? problem.status : '4.0.0',
    reason: problem.reason === '' ? 'unknown error' : problem.reason,
  }
}
