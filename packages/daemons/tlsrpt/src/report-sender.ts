/**
 * report-sender - sees the reports of periods that are over on their way
 *
 * Each target of each domain gets one report, at its own place in the span of delays. What cannot be handed over is tried again
 * with growing pauses, for a day (RFC 8460 5.5), and once at least. A report counts as sent when the journal says so; when all
 * of a period are, its files go: the results first, so that nothing is sent for which the journal is missing.
 *
 * Holds:  the results of periods in progress, PERIODS_LIMIT of them; the oldest gives way.
 * Limits: DELIVERIES_LIMIT deliveries at once.
 */
import { rm } from 'node:fs/promises'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { quoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import type { DeliveryOutcome } from './delivery-outcome.ts'
import { formatInstant, type Period } from './period.ts'
import type { PeriodResults } from './period-results.ts'
import { makeReport, placeInDelay, type Report } from './report.ts'
import { findReportTargets, type ReportTarget } from './report-targets.ts'
import type { SentJournal } from './sent-journal.ts'
import type { TlsrptSettings } from './tlsrpt-settings.ts'

const PERIODS_LIMIT = 8
/** Domains that are looked at before the event loop has its turn; about 2 ms. */
const SLICE_DOMAINS = 100
const DELIVERIES_LIMIT = 8
const GIVE_UP_MS = 24 * 3600 * 1000
const FIRST_PAUSE_MS = 5 * 60 * 1000
const LONGEST_PAUSE_MS = 4 * 3600 * 1000
const STOP_LIMIT_MS = 10_000

export interface ClosedPeriod {
  readonly period: Period
  readonly results: PeriodResults
  /** Where the results are; gone with the last report. */
  readonly path: string
  readonly journal: SentJournal
}

/** One report for one target. */
interface Delivery {
  readonly of: OpenPeriod
  readonly domain: string
  readonly target: ReportTarget
  readonly giveUpMs: number
  nextMs: number
  pauseMs: number
}

interface OpenPeriod extends ClosedPeriod {
  readonly pending: Set<Delivery>
}

export interface ReportSenderOptions {
  readonly settings: Pick<TlsrptSettings, 'reporter' | 'delaySeconds'>
  readonly now: () => number
  /** Hands the report over. Never rejects. */
  readonly deliver: (
    report: Report,
    target: ReportTarget,
    signal: AbortSignal,
  ) => Promise<DeliveryOutcome>
  /** nextMs may have changed. */
  readonly changed: () => void
}

export class ReportSender {
  readonly #options: ReportSenderOptions
  readonly #periods: OpenPeriod[] = []
  readonly #running = new Set<Promise<void>>()
  readonly #stopping = new AbortController()
  /** Due, without a time any more; they wait for their turn. */
  #ready: Delivery[] = []
  /** Undefined: to be found out. */
  #nextMs: number | undefined

  constructor(options: ReportSenderOptions) {
    this.#options = options
  }

  get isIdle(): boolean {
    return this.#periods.length === 0
  }

  /** When run() has something to do, in milliseconds since 1970; Infinity: nothing waits for its time. */
  get nextMs(): number {
    this.#nextMs ??= this.#findNextMs()
    return this.#nextMs
  }

  /** Takes over a period, and its files. */
  async add(closed: ClosedPeriod): Promise<void> {
    const { period, results, journal } = closed
    const open: OpenPeriod = { ...closed, pending: new Set() }
    let count = 0
    for (const [domain, { record }] of results.domains) {
      if (++count % SLICE_DOMAINS === 0) await nextTurn()
      for (const target of findReportTargets(record)) {
        if (!journal.has(domain, target.uri)) this.#plan(open, domain, target)
      }
    }
    if (results.leftOutCount > 0) {
      const from = formatInstant(period.startSeconds)
      log.warning(
        `TLSRPT: ${results.leftOutCount} results from ${from} on are not in the reports: limits`,
      )
    }
    this.#periods.push(open)
    this.#nextMs = undefined
    await this.#closeIfDone(open)
    const [oldest] = this.#periods
    if (oldest !== undefined && this.#periods.length > PERIODS_LIMIT) await this.#abandon(oldest)
  }

  /** Starts what is due. */
  run(): void {
    const now = this.#options.now()
    const due = this.#periods
      .flatMap(({ pending }) => [...pending])
      .filter(({ nextMs }) => nextMs <= now)
      .sort((a, b) => a.nextMs - b.nextMs)
    for (const delivery of due) delivery.nextMs = Infinity
    this.#nextMs = undefined
    this.#ready.push(...due)
    this.#startReady()
  }

  /** Resolves when all that was due has its outcome, and the journal has it. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Ends what is under way, and waits for it, but not for ever: cleanup(8) may take its time. */
  async stop(): Promise<void> {
    this.#ready = []
    this.#stopping.abort()
    const waiting = new AbortController()
    const timeUp = pause(STOP_LIMIT_MS, undefined, { signal: waiting.signal }).catch(
      () => undefined,
    )
    await Promise.race([this.settled(), timeUp])
    waiting.abort()
  }

  #findNextMs(): number {
    let nextMs = Infinity
    for (const { pending } of this.#periods) {
      for (const delivery of pending) nextMs = Math.min(nextMs, delivery.nextMs)
    }
    return nextMs
  }

  #plan(open: OpenPeriod, domain: string, target: ReportTarget): void {
    const { reporter, delaySeconds } = this.#options.settings
    const place = placeInDelay(reporter, domain, open.period)
    const dueMs = open.period.endSeconds * 1000 + Math.floor(place * delaySeconds * 1000)
    const giveUpMs = dueMs + GIVE_UP_MS
    open.pending.add({
      ...{ of: open, domain, target, giveUpMs },
      ...{ nextMs: dueMs, pauseMs: FIRST_PAUSE_MS },
    })
  }

  #startReady(): void {
    while (this.#running.size < DELIVERIES_LIMIT && !this.#stopping.signal.aborted) {
      const delivery = this.#ready.shift()
      if (delivery === undefined) return
      const running: Promise<void> = this.#deliver(delivery).finally(() => {
        this.#running.delete(running)
        this.#nextMs = undefined
        this.#startReady()
        this.#options.changed()
      })
      this.#running.add(running)
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { of, domain, target } = delivery
    const results = of.results.domains.get(domain)
    if (results === undefined || !of.pending.has(delivery)) return
    const report = makeReport(this.#options.settings.reporter, domain, of.period, results)
    const signal = this.#stopping.signal
    const outcome = await this.#options.deliver(report, target, signal)
    if (outcome.kind === 'deferred' && signal.aborted) return
    if (!this.#judge(delivery, report, outcome)) return
    of.pending.delete(delivery)
    await guard(of.journal.path, async () => of.journal.add(domain, target.uri))
    await guard(of.path, async () => this.#closeIfDone(of))
  }

  /** Nothing more is to be done. */
  #judge(delivery: Delivery, report: Report, outcome: DeliveryOutcome): boolean {
    const { target } = delivery
    const to = target.kind === 'mail' ? quoteAddress(target.address) : target.uri
    const start = formatInstant(report.period.startSeconds)
    const what = `TLSRPT report: domain=${report.domain}, from=${start}, to=<${to}>, sessions=${report.sessionCount}, failures=${report.failureCount}`
    if (outcome.kind === 'sent') {
      log.info(`${what}, status=sent (${outcome.text})`)
      return true
    }
    const now = this.#options.now()
    if (now >= delivery.giveUpMs) {
      log.warning(`${what}, status=given up (${outcome.reason})`)
      return true
    }
    log.info(`${what}, status=deferred (${outcome.reason})`)
    delivery.nextMs = Math.min(now + delivery.pauseMs, delivery.giveUpMs)
    delivery.pauseMs = Math.min(2 * delivery.pauseMs, LONGEST_PAUSE_MS)
    return false
  }

  async #closeIfDone(open: OpenPeriod): Promise<void> {
    const at = this.#periods.indexOf(open)
    if (open.pending.size > 0 || at < 0) return
    this.#periods.splice(at, 1)
    await rm(open.path, { force: true })
    await rm(open.journal.path, { force: true })
  }

  async #abandon(open: OpenPeriod): Promise<void> {
    const from = formatInstant(open.period.startSeconds)
    log.warning(`TLSRPT: ${open.pending.size} reports from ${from} on given up: too many periods`)
    open.pending.clear()
    await this.#closeIfDone(open)
  }
}

/** A disk that fails costs a warning; at worst a report is sent once more after a restart. */
async function guard(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    log.warning(`TLSRPT: write ${path}: ${errorReason(error)}`)
  }
}
