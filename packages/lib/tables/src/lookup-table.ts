/**
 * lookup-table - what every lookup table can do
 *
 * A lookup has three outcomes. `tryAgain` is not `absent`: who cannot find out must not decide. Tables that are in
 * memory answer at once, others with a promise; `await` takes both, and andThen() goes on without one where there is
 * none. Keys and values are latin1 octets.
 */
export type LookupResult =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'tryAgain'; readonly reason: string }

export type MaybePromise<T> = T | Promise<T>

export interface LookupTable {
  /** As in the configuration: `hash:/etc/aliases`. */
  readonly name: string
  /**
   * The table holds patterns: it wants the whole key once. Parts of a key (the domain of an address, the network of an
   * IP address) are for tables without patterns only.
   */
  readonly isPattern: boolean
  /** Never throws, never rejects: a failure is `tryAgain`. */
  readonly find: (key: string) => MaybePromise<LookupResult>
  /** Set once the table can no longer follow its file (it was replaced, and we may not open the new one). */
  readonly isStale?: boolean
}

/** A table that can be changed. Nothing here throws or rejects; what went wrong has been logged. */
export interface WritableTable extends LookupTable {
  /** False: the value was not taken. */
  readonly update: (key: string, value: string) => MaybePromise<boolean>
  /** False: there was none. */
  readonly remove: (key: string) => MaybePromise<boolean>
}

export const ABSENT: LookupResult = { kind: 'absent' }

export function found(value: string): LookupResult {
  return { kind: 'found', value }
}

export function tryAgain(reason: string): LookupResult {
  return { kind: 'tryAgain', reason }
}

/** Goes on with a value that may be there already; without a promise when it is. */
export function andThen<T, R>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<R>,
): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Asks one after the other until an answer is not `absent`. Synchronous as long as the tables are. */
export function firstAnswer<T>(
  items: readonly T[],
  ask: (item: T) => MaybePromise<LookupResult>,
  from = 0,
): MaybePromise<LookupResult> {
  for (let at = from; at < items.length; at++) {
    const item = items[at]
    if (item === undefined) break
    const answer = ask(item)
    if (answer instanceof Promise) {
      return answer.then(async (result) =>
        result.kind === 'absent' ? firstAnswer(items, ask, at + 1) : result,
      )
    }
    if (answer.kind !== 'absent') return answer
  }
  return ABSENT
}
