/**
 * recent-map - values that are costly to make, as many as fit; the one that was not used for longest goes first
 */

export class RecentMap<Value> {
  /** The most recently used last. */
  readonly #values = new Map<string, Value>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  /** What `make` throws goes on to the caller, and nothing is kept. */
  get(key: string, make: () => Value): Value {
    const value = this.#values.get(key) ?? make()
    this.#values.delete(key)
    this.#values.set(key, value)
    if (this.#values.size > this.#limit) {
      const [oldest] = this.#values.keys()
      if (oldest !== undefined) this.#values.delete(oldest)
    }
    return value
  }

  delete(key: string): void {
    this.#values.delete(key)
  }
}
