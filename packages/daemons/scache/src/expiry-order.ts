/**
 * expiry-order - elements by the second in which they expire, those of one second in the order in which they came
 *
 *     second -> elements, oldest first
 *
 * There are as many seconds at most as the longest time to live has, so that looking for the earliest one is cheap.
 */
export interface Expiring {
  expiresAtSeconds: number
}

export class ExpiryOrder<Element extends Expiring> {
  readonly #bySecond = new Map<number, Set<Element>>()

  add(element: Element): void {
    const second = element.expiresAtSeconds
    const elements = this.#bySecond.get(second)
    if (elements === undefined) this.#bySecond.set(second, new Set([element]))
    else elements.add(element)
  }

  /** Before its time changes, too. */
  remove(element: Element): void {
    const second = element.expiresAtSeconds
    const elements = this.#bySecond.get(second)
    if (elements?.delete(element) === true && elements.size === 0) this.#bySecond.delete(second)
  }

  /** Those whose time has come; they are removed. */
  takeExpired(nowSeconds: number): Element[] {
    const taken: Element[] = []
    for (const [second, elements] of this.#bySecond) {
      if (second > nowSeconds) continue
      taken.push(...elements)
      this.#bySecond.delete(second)
    }
    return taken
  }

  /** The next to expire; it stays. */
  get first(): Element | undefined {
    let earliest = Infinity
    for (const second of this.#bySecond.keys()) earliest = Math.min(earliest, second)
    return this.#bySecond.get(earliest)?.values().next().value
  }

  clear(): void {
    this.#bySecond.clear()
  }
}
