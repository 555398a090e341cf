/**
 * fuzz-target - what the fuzzer needs to know about something that reads what strangers write
 *
 * An input is made from a seed and its number alone, so that a finding can be looked at again.
 */
export interface FuzzOutcome {
  /** What came of it, in words of the target: `{ delivered: 2, deferred: 1 }`. */
  readonly counts: Readonly<Record<string, number>>
  /** What must never be, one sentence each. */
  readonly findings: readonly string[]
}

export interface FuzzTarget {
  readonly name: string
  /** The words of `counts` in the order of the last line. */
  readonly words: readonly string[]
  /** One input. What it throws is a finding. */
  run: (seed: number, index: number) => Promise<FuzzOutcome>
  /** The last input and what was made of it, for a person. */
  describe: () => string
  close: () => void
}
