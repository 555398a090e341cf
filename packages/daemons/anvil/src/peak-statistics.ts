/**
 * peak-statistics - the highest counts since the last report, whose they were and when
 *
 * Source: Postfix 3.7 anvil(8); log analysers read these lines.
 */
import { formatLogStamp } from '@posthorn/log/log-stamp'
import { rateKinds, type RateKind } from './client-counts.ts'

interface Peak {
  value: number
  ident: string
  atMs: number
}

const noPeak = (): Peak => ({ value: 0, ident: '', atMs: 0 })

function raise(peak: Peak, value: number, ident: string, atMs: number): void {
  if (value <= peak.value) return
  peak.value = value
  peak.ident = ident
  peak.atMs = atMs
}

export class PeakStatistics {
  readonly #unitSeconds: number
  #count = noPeak()
  #cacheSize = noPeak()
  #rates = new Map<RateKind, Peak>()

  constructor(unitSeconds: number) {
    this.#unitSeconds = unitSeconds
  }

  raiseCount(count: number, ident: string, nowMs: number): void {
    raise(this.#count, count, ident, nowMs)
  }

  raiseRate(kind: RateKind, rate: number, ident: string, nowMs: number): void {
    const peak = this.#rates.get(kind) ?? noPeak()
    this.#rates.set(kind, peak)
    raise(peak, rate, ident, nowMs)
  }

  raiseCacheSize(size: number, nowMs: number): void {
    raise(this.#cacheSize, size, '', nowMs)
  }

  /** The lines to log, none when nothing happened; everything starts at zero again. */
  report(): string[] {
    const lines: string[] = []
    for (const kind of rateKinds) {
      const peak = this.#rates.get(kind)
      const name = kind === 'connect' ? 'connection' : kind
      if (peak !== undefined) {
        lines.push(
          `statistics: max ${name} rate ${peak.value}/${this.#unitSeconds}s` +
            ` for (${peak.ident}) at ${formatLogStamp(peak.atMs, ' ')}`,
        )
      }
      if (kind === 'connect' && this.#count.value > 0) {
        const { value, ident, atMs } = this.#count
        lines.push(
          `statistics: max connection count ${value} for (${ident}) at ${formatLogStamp(atMs, ' ')}`,
        )
      }
    }
    if (this.#cacheSize.value > 0) {
      const { value, atMs } = this.#cacheSize
      lines.push(`statistics: max cache size ${value} at ${formatLogStamp(atMs, ' ')}`)
    }
    this.#count = noPeak()
    this.#cacheSize = noPeak()
    this.#rates = new Map()
    return lines
  }
}
