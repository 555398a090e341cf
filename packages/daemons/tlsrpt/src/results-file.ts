/**
 * results-file - the results of a period on disk
 *
 *     tlsrpt 1 START END
 *     [SUCCESSES,FAILURES,[COUNT OF EACH FAILURE],DATAGRAM]     one line for each domain and policy
 *     end LINES
 *
 * DATAGRAM is what a session with all these failures would have sent (tlsrpt-protocol.ts), so there is one parser for both.
 * The file is written beside its name, made durable, and moved: a crash leaves one or the other. Results that are added
 * while it is written may be in it or not. What is damaged all the same is set aside.
 */
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import {
  encodeTlsrptDatagram,
  parseTlsrptDatagram,
  type TlsrptRequest,
} from '@posthorn/wire/tlsrpt-protocol'
import { TlsrptError } from '@posthorn/wire/wire-error'
import type { Period } from './period.ts'
import { PeriodResults, type PolicyResults } from './period-results.ts'

/** Octets that are put together before the event loop has its turn. */
const SLICE_OCTETS = 64 * 1024
/** Lines that are read in one turn; about 3 ms. */
const SLICE_LINES = 100

const HEAD = /^tlsrpt 1 (\d{1,12}) (\d{1,12})$/
const LINE = /^\[(\d{1,15}),(\d{1,15}),\[([\d,]*)\],(\{.*\})\]$/

function formatLine(domain: string, record: string, policy: PolicyResults): string {
  const { type, strings, mxHostPatterns } = policy
  const failures = [...policy.failures.values()]
  const counts = failures.map(({ count }) => count)
  const request: TlsrptRequest = {
    recipientDomain: domain,
    record,
    policies: [
      {
        ...{ type, domain: policy.domain, strings, mxHostPatterns },
        isSuccess: policy.failureCount === 0,
        failures: failures.map(({ failure }) => failure),
      },
    ],
  }
  const { successCount, failureCount } = policy
  return `[${successCount},${failureCount},[${counts.join(',')}],${encodeTlsrptDatagram(request)}]\n`
}

function* slicesOf({ startSeconds, endSeconds }: Period, results: PeriodResults) {
  let slice = `tlsrpt 1 ${startSeconds} ${endSeconds}\n`
  let lineCount = 0
  for (const [domain, { record, policies }] of results.domains) {
    for (const policy of policies.values()) {
      slice += formatLine(domain, record, policy)
      lineCount++
      if (slice.length < SLICE_OCTETS) continue
      yield slice
      slice = ''
    }
  }
  yield `${slice}end ${lineCount}\n`
}

/** Makes a name in a directory durable. @throws Error of a system call */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Resolves when the file is on the disk. @throws Error of a system call */
export async function saveResults(
  path: string,
  period: Period,
  results: PeriodResults,
): Promise<void> {
  const file = await open(`${path}.tmp`, 'w', 0o600)
  try {
    for (const slice of slicesOf(period, results)) await file.write(slice, null, 'latin1')
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.tmp`, path)
  await syncDirectory(dirname(path))
}

function addLine(results: PeriodResults, line: string): void {
  const [, successes, failures, counts = '', datagram] = LINE.exec(line) ?? []
  if (datagram === undefined) throw new TlsrptError('Cannot read a line of results: not its form')
  const request = parseTlsrptDatagram(datagram)
  const [policy] = request.policies
  if (policy === undefined) throw new TlsrptError('Cannot read a line of results: no policy')
  results.addSessions(request, policy, {
    successCount: Number(successes),
    failureCount: Number(failures),
    counts: counts === '' ? [] : counts.split(',').map(Number),
  })
}

/** @throws {TlsrptError} the text is not a whole file of results */
async function parseResults(text: string): Promise<{ period: Period; results: PeriodResults }> {
  const [first = '', ...lines] = text.split('\n')
  const [, start, end] = HEAD.exec(first) ?? []
  const period = { startSeconds: Number(start), endSeconds: Number(end) }
  const [last, empty] = lines.splice(-2)
  const isWhole = period.endSeconds > period.startSeconds && last === `end ${lines.length}`
  if (!isWhole || empty !== '') throw new TlsrptError('Cannot read results: not a whole file')
  const results = new PeriodResults()
  for (const [index, line] of lines.entries()) {
    if (index % SLICE_LINES === 0) await nextTurn()
    addLine(results, line)
  }
  return { period, results }
}

/** A damaged file is moved aside with a warning: undefined. @throws Error of a system call */
export async function loadResults(
  path: string,
): Promise<{ period: Period; results: PeriodResults } | undefined> {
  const text = await readFile(path, 'latin1')
  try {
    return await parseResults(text)
  } catch (error) {
    if (!(error instanceof TlsrptError)) throw error
    log.warning(`${path}: ${errorReason(error)}; it is now ${path}.damaged`)
    await rename(path, `${path}.damaged`)
    return undefined
  }
}
