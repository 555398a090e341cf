/**
 * fuzz-run - runs a target over many inputs and adds up what came of them
 *
 * An input that throws, that has findings, or that does not end in HANG_TICKS seconds is a finding. A promise that nobody awaits and that
 * fails is the fault of the input at hand, too.
 */
import { performance } from 'node:perf_hooks'
import type { FuzzOutcome, FuzzTarget } from './fuzz-target.ts'

/** For one input, which takes a millisecond. Ticks are counted, not time: a machine that stood still is no hang. */
const HANG_TICKS = 20
const TICK_MS = 1000

export interface FuzzRange {
  readonly seed: number
  readonly first: number
  readonly count: number
}

export interface Finding {
  readonly index: number
  readonly text: string
  /** FuzzTarget.describe() */
  readonly description: string
}

export class FuzzRun {
  inputs = 0
  readonly counts = new Map<string, number>()
  readonly findings: Finding[] = []
  slowestMs = 0
  slowestIndex = 0
  readonly #target: FuzzTarget
  readonly #startMs = performance.now()
  readonly #strays: unknown[] = []

  constructor(target: FuzzTarget) {
    this.#target = target
  }

  get elapsedMs(): number {
    return performance.now() - this.#startMs
  }

  /** Stops early when there are `limit` findings. `progress` is called between inputs. */
  async run({ seed, first, count }: FuzzRange, progress?: () => void, limit = 10): Promise<void> {
    const stray = (error: unknown): void => {
      this.#strays.push(error)
    }
    process.on('unhandledRejection', stray)
    try {
      for (let index = first; index < first + count; index++) {
        await this.#runOne(seed, index)
        progress?.()
        if (this.findings.length >= limit) return
      }
    } finally {
      process.off('unhandledRejection', stray)
    }
  }

  /** `replies: 1000 inputs, seed 1: 12 delivered, ... 0 findings` */
  summary(seed: number): string {
    const { name, words } = this.#target
    const counts = words.map((word) => `${this.counts.get(word) ?? 0} ${word}`).join(', ')
    const seconds = (this.elapsedMs / 1000).toFixed(1)
    const slowest = `slowest ${this.slowestMs.toFixed(1)} ms (input ${this.slowestIndex})`
    const findings = `${this.findings.length} findings`
    return `${name}: ${this.inputs} inputs, seed ${seed}: ${counts}; ${slowest}; ${seconds} s; ${findings}`
  }

  async #runOne(seed: number, index: number): Promise<void> {
    const startMs = performance.now()
    const outcome = await this.#guarded(seed, index)
    const tookMs = performance.now() - startMs
    if (tookMs > this.slowestMs) {
      this.slowestMs = tookMs
      this.slowestIndex = index
    }
    this.inputs += 1
    for (const [word, count] of Object.entries(outcome.counts)) {
      this.counts.set(word, (this.counts.get(word) ?? 0) + count)
    }
    const strays = this.#strays.splice(0).map((error) => `a promise of nobody: ${stackOf(error)}`)
    for (const text of [...outcome.findings, ...strays]) {
      this.findings.push({ index, text, description: this.#target.describe() })
    }
  }

  async #guarded(seed: number, index: number): Promise<FuzzOutcome> {
    let timer: NodeJS.Timeout | undefined
    let ticks = 0
    const hang = new Promise<FuzzOutcome>((resolve) => {
      timer = setInterval(() => {
        ticks += 1
        if (ticks < HANG_TICKS) return
        resolve({ counts: {}, findings: [`no end in ${HANG_TICKS} seconds`] })
      }, TICK_MS)
    })
    try {
      return await Promise.race([this.#target.run(seed, index), hang])
    } catch (error) {
      return { counts: {}, findings: [stackOf(error)] }
    } finally {
      clearInterval(timer)
    }
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
