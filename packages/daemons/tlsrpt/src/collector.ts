/**
 * collector - takes results as they come, keeps them on disk, and passes a period on when it is over
 *
 *     results-START-END   the results of a period, written every SAVE_INTERVAL_MS and at its end
 *     sent-START-END      which of its reports are done (sent-journal.ts)
 *
 * A crash loses the results of the last minute. A disk that cannot be written to costs a warning, and the work goes on in
 * memory. A period that lies in the future, because the clock was wrong, takes no more results. One timer wakes it: for the next save, the end of the period, or the next report.
 */
import { readdir, rm } from 'node:fs/promises'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { parseTlsrptDatagram } from '@posthorn/wire/tlsrpt-protocol'
import { TlsrptError } from '@posthorn/wire/wire-error'
import { periodAt, type Period } from './period.ts'
import { PeriodResults } from './period-results.ts'
import type { ReportSender } from './report-sender.ts'
import { loadResults, saveResults } from './results-file.ts'
import { SentJournal } from './sent-journal.ts'

const SAVE_INTERVAL_MS = 60_000
/** setTimeout() takes no more; it is asked again then. */
const LONGEST_SLEEP_MS = 0x7fffffff
/** Malformed datagrams are told of once in this time. */
const WARNING_INTERVAL_MS = 60_000

/** A clock that is set back by less does not end the period. */
const CLOCK_TOLERANCE_MS = 3600 * 1000

/** With the name of the period. */
const RESULTS = /^results-(\d+-\d+)$/
const JOURNAL = /^sent-(\d+-\d+)$/
/** Cut short by a crash. */
const UNFINISHED = /^results-\d+-\d+\.tmp$/

function nameOf({ startSeconds, endSeconds }: Period): string {
  return `${startSeconds}-${endSeconds}`
}

function isNow({ startSeconds, endSeconds }: Period, nowMs: number): boolean {
  return nowMs < endSeconds * 1000 && nowMs >= startSeconds * 1000 - CLOCK_TOLERANCE_MS
}

interface CurrentPeriod {
  readonly period: Period
  readonly results: PeriodResults
}

export interface CollectorOptions {
  /** It is there, and ours alone. */
  readonly directory: string
  readonly intervalSeconds: number
  readonly now: () => number
}

export class Collector {
  readonly #options: CollectorOptions
  #sender: ReportSender | undefined
  #current: CurrentPeriod | undefined
  #unsavedSinceMs: number | undefined
  #timer: NodeJS.Timeout | undefined
  #wakeMs = Infinity
  #warnedAtMs = -Infinity
  #isStopped = false
  /** What was begun with the disk, one after the other. */
  #disk: Promise<void> = Promise.resolve()

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  /** There is something to do at some time, even if no result comes any more. */
  get isWaiting(): boolean {
    return this.#current !== undefined || this.#sender?.isIdle === false
  }

  /** Reads what an earlier process left, and begins. A directory that cannot be read is a warning. */
  async start(sender: ReportSender): Promise<void> {
    this.#sender = sender
    await this.#guard(async () => this.#load(sender))
    this.#arm()
  }

  /** One datagram. A malformed one is a warning, at most once a minute. */
  add(octets: string): void {
    const nowMs = this.#options.now()
    this.#turnPeriod(nowMs)
    try {
      const request = parseTlsrptDatagram(octets)
      this.#current ??= {
        period: periodAt(nowMs, this.#options.intervalSeconds),
        results: new PeriodResults(),
      }
      this.#current.results.add(request)
      this.#unsavedSinceMs ??= nowMs
    } catch (error) {
      if (!(error instanceof TlsrptError)) throw error
      if (nowMs - this.#warnedAtMs < WARNING_INTERVAL_MS) return
      this.#warnedAtMs = nowMs
      log.warning(errorReason(error))
    }
    this.#arm()
  }

  /** Does what is due; resolves when the disk has it. */
  async tick(): Promise<void> {
    const nowMs = this.#options.now()
    this.#turnPeriod(nowMs)
    if (this.#unsavedSinceMs !== undefined && nowMs >= this.#unsavedSinceMs + SAVE_INTERVAL_MS) {
      this.#save()
    }
    await this.#disk
    this.#sender?.run()
    this.#arm()
  }

  /** Sets the timer anew, if it has to ring earlier. */
  wake(): void {
    this.#arm()
  }

  /** Everything is on the disk afterwards. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    if (this.#unsavedSinceMs !== undefined) this.#save()
    await this.#disk
    await this.#sender?.stop()
  }

  #path(kind: 'results' | 'sent', period: Period): string {
    return `${this.#options.directory}/${kind}-${nameOf(period)}`
  }

  async #load(sender: ReportSender): Promise<void> {
    const { directory } = this.#options
    const names = await readdir(directory)
    const found: CurrentPeriod[] = []
    for (const name of names) {
      if (!RESULTS.test(name)) continue
      const loaded = await loadResults(`${directory}/${name}`)
      if (loaded !== undefined) found.push(loaded)
    }
    const periods = new Set(found.map(({ period }) => nameOf(period)))
    for (const name of names) {
      // results are removed before their journal
      const period = JOURNAL.exec(name)?.[1]
      const isOrphan = period !== undefined && !periods.has(period)
      if (isOrphan || UNFINISHED.test(name)) await rm(`${directory}/${name}`, { force: true })
    }
    found.sort((a, b) => a.period.startSeconds - b.period.startSeconds)
    for (const one of found) {
      if (this.#current === undefined && isNow(one.period, this.#options.now())) this.#current = one
      else await this.#close(sender, one)
    }
  }

  /** Without a journal a report may go out twice; without this it would not go out at all. */
  async #close(sender: ReportSender, { period, results }: CurrentPeriod): Promise<void> {
    let journal = new SentJournal(this.#path('sent', period))
    await this.#guard(async () => {
      journal = await SentJournal.load(journal.path)
    })
    await sender.add({ period, results, journal, path: this.#path('results', period) })
  }

  #turnPeriod(nowMs: number): void {
    const current = this.#current
    const sender = this.#sender
    if (current === undefined || sender === undefined) return
    if (isNow(current.period, nowMs)) return
    if (this.#unsavedSinceMs !== undefined) this.#save()
    this.#current = undefined
    this.#disk = this.#disk.then(async () =>
      this.#guard(async () => this.#close(sender, current)).then(() => {
        this.#arm()
      }),
    )
  }

  #save(): void {
    const current = this.#current
    this.#unsavedSinceMs = undefined
    if (current === undefined) return
    const path = this.#path('results', current.period)
    this.#disk = this.#disk.then(async () =>
      this.#guard(async () => saveResults(path, current.period, current.results)),
    )
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      log.warning(`TLSRPT: ${this.#options.directory}: ${errorReason(error)}`)
    }
  }

  #arm(): void {
    if (this.#isStopped) return
    const wakeMs = Math.min(
      this.#unsavedSinceMs === undefined ? Infinity : this.#unsavedSinceMs + SAVE_INTERVAL_MS,
      (this.#current?.period.endSeconds ?? Infinity) * 1000,
      this.#sender?.nextMs ?? Infinity,
    )
    if (wakeMs === this.#wakeMs && this.#timer !== undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#wakeMs = wakeMs
    if (wakeMs === Infinity) return
    const sleepMs = Math.min(Math.max(wakeMs - this.#options.now(), 0), LONGEST_SLEEP_MS)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.tick().catch((error: unknown) => {
        throw error
      })
    }, sleepMs).unref()
  }
}
