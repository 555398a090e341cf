/**
 * result-table - the lines that the benchmark prints: figures, ratio, what is to be reached, and whether it is
 *
 * A line is judged by the median of the ratios of its pairs, or by a figure of Posthorn alone.
 */
import { median, pairRatios, withSpread, type Runs } from './statistics.ts'

export interface ResultLine {
  readonly load: string
  readonly postfix: string
  readonly posthorn: string
  readonly ratio?: string
  readonly target?: string
  /** Only where there is a target. */
  readonly isReached?: boolean
  /** Of all processes after the load, Postfix / Posthorn. */
  readonly memory?: string
}

export interface Figure<Run> {
  readonly load: string
  readonly pick: (run: Run) => number
  readonly digits?: number
  readonly unit?: string
  /** The ratio to reach. */
  readonly atLeast?: number
  readonly atMost?: number
  /** What Posthorn's own median may be at most, whatever Postfix gives. */
  readonly limit?: number
}

export const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)

/** One figure of both systems: medians, and the ratio with its spread. */
export function figureLine<Run>(runs: Runs<Run>, figure: Figure<Run>): ResultLine {
  const { pick, digits = 0, unit = '', atLeast, atMost, limit } = figure
  const shown = (of: readonly Run[]): string => `${median(of.map(pick)).toFixed(digits)}${unit}`
  const ratios = pairRatios(runs, pick)
  const line = {
    load: figure.load,
    postfix: shown(runs.postfix),
    posthorn: shown(runs.posthorn),
    ratio: withSpread(ratios),
  }
  if (atLeast !== undefined) {
    const target = `>= ${atLeast.toFixed(1)}x`
    return { ...line, target, isReached: median(ratios) >= atLeast }
  }
  if (atMost !== undefined) {
    const target = `<= ${atMost.toFixed(1)}x`
    return { ...line, target, isReached: median(ratios) <= atMost }
  }
  if (limit !== undefined) {
    const isReached = median(runs.posthorn.map(pick)) <= limit
    return { ...line, target: `<= ${limit}${unit}`, isReached }
  }
  return line
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`

/** The table in Markdown, as docs/performance.md shows it. */
export function printTable(lines: readonly ResultLine[]): string {
  const heads = [
    ...['load', 'Postfix', 'Posthorn', 'ratio (spread)', 'to reach', 'reached'],
    'memory MB (processes), Postfix / Posthorn',
  ]
  const judged = (line: ResultLine): string => {
    if (line.isReached === undefined) return ''
    return line.isReached ? 'yes' : 'no'
  }
  return [
    row(heads),
    row(heads.map(() => '---')),
    ...lines.map((line) =>
      row([
        ...[line.load, line.postfix, line.posthorn, line.ratio ?? '', line.target ?? ''],
        ...[judged(line), line.memory ?? ''],
      ]),
    ),
  ].join('')
}
