/**
 * duplicate-filter - has this recipient been written already
 *
 * Letter case does not count. Limit: so many entries are remembered (duplicate_filter_limit, 0 = any number); later
 * recipients are then written even if they are duplicates, which costs a second copy and loses nothing.
 */
import { foldCaseUtf8 } from '@posthorn/address/split-address'

export class DuplicateFilter {
  readonly #seen = new Set<string>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  isDuplicate(key: string): boolean {
    const folded = foldCaseUtf8(key)
    if (this.#seen.has(folded)) return true
    if (this.#limit <= 0 || this.#seen.size < this.#limit) this.#seen.add(folded)
    return false
  }
}
