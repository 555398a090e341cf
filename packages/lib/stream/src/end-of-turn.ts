/**
 * end-of-turn - runs jobs once, after everything that became ready in this turn of the event loop was handled
 *
 * A session that answers ten pipelined commands passes through many promise jobs in one turn; its replies should go out
 * together. One setImmediate() serves all streams.
 */

const jobs = new Set<() => void>()

/** A job that is waiting already is not added again. It must not throw. */
export function atEndOfTurn(job: () => void): void {
  if (jobs.size === 0) setImmediate(runJobs)
  jobs.add(job)
}

function runJobs(): void {
  const now = [...jobs]
  jobs.clear()
  for (const job of now) job()
}
