/**
 * bench-row - what a row of the benchmark is, and how its runs alternate between the two systems
 */
import type { System } from '../instance.ts'
import type { BenchSite } from './bench-site.ts'
import type { ResultLine } from './result-table.ts'
import type { Runs } from './statistics.ts'

export interface BenchRow {
  /** As --only has it, and the key in the JSON file. */
  readonly name: string
  readonly title: string
  /** A guess for whoever waits: one run of each system with the default options. */
  readonly pairSeconds: number
  /** The row takes more than one pair only where it says so. */
  readonly isOnce?: boolean
  readonly run: (bench: Bench) => Promise<RowResult>
}

export interface RowResult {
  readonly lines: readonly ResultLine[]
  /** Every figure of every run, for the JSON file. */
  readonly runs: unknown
  /** Said below the table. */
  readonly remarks?: readonly string[]
}

/** What the rows share. */
export interface Bench {
  readonly site: BenchSite
  readonly pairs: number
  readonly messages: number
  /** Messages ahead of each measurement: a program in JavaScript is slower until its code is compiled. */
  readonly warmUp: number
  readonly sessions: number
  readonly progress: (text: string) => void
  /** Messages per second of Postfix in relay-1k, once that row has run. */
  postfixPeak: number | undefined
}

export const SYSTEMS: readonly System[] = ['postfix', 'posthorn']
export const TITLE: Readonly<Record<System, string>> = { postfix: 'Postfix', posthorn: 'Posthorn' }

/** A B A B ...; `show` says in a few words what a run gave. */
export async function inPairs<Run>(
  bench: Bench,
  runOnce: (system: System) => Promise<Run>,
  show: (run: Run) => string,
): Promise<Runs<Run>> {
  const runs: Record<System, Run[]> = { postfix: [], posthorn: [] }
  for (let pair = 1; pair <= bench.pairs; pair += 1) {
    for (const system of SYSTEMS) {
      const begin = performance.now()
      const run = await runOnce(system)
      runs[system].push(run)
      const seconds = ((performance.now() - begin) / 1000).toFixed(0)
      bench.progress(
        `  pair ${pair} of ${bench.pairs}, ${TITLE[system]}: ${show(run)} (took ${seconds} s)`,
      )
    }
  }
  return runs
}
