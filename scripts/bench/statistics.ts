/**
 * statistics - medians, percentiles, and the ratio of two systems pair by pair
 */
import type { System } from '../instance.ts'

/** What each system gave, in the order of the pairs: index 2 of both is the third pair. */
export type Runs<Run> = Readonly<Record<System, readonly Run[]>>

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}

/** The smallest value that is not below the given share of the values. */
export function percentile(sorted: readonly number[], share: number): number {
  const index = Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)
  return sorted[Math.max(0, index)] ?? 0
}

/** Posthorn divided by Postfix, for each pair that both have finished. */
export function pairRatios<Run>(runs: Runs<Run>, pick: (run: Run) => number): number[] {
  const pairs = Math.min(runs.postfix.length, runs.posthorn.length)
  return Array.from({ length: pairs }, (_, pair) => {
    const [reference, ours] = [runs.postfix[pair], runs.posthorn[pair]]
    return reference === undefined || ours === undefined ? Number.NaN : pick(ours) / pick(reference)
  })
}

/** The median with the smallest and the largest: `1.13 (1.10-1.31)`. */
export function withSpread(ratios: readonly number[]): string {
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
  return `${median(ratios).toFixed(2)} (${least.toFixed(2)}-${most.toFixed(2)})`
}
