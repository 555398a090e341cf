/**
 * input-buffer - octets received and not yet taken
 *
 * A position moves through the text instead of cutting it at every take, so that a burst of lines costs one slice each.
 */
import { StreamLimitError } from './stream-error.ts'

export class InputBuffer {
  #text = ''
  #at = 0

  get length(): number {
    return this.#text.length - this.#at
  }

  /** All of it; stays buffered. */
  peek(): string {
    if (this.#at > 0) {
      this.#text = this.#text.slice(this.#at)
      this.#at = 0
    }
    return this.#text
  }

  push(octets: string): void {
    this.#text = this.length === 0 ? octets : this.peek() + octets
    this.#at = 0
  }

  /** At most `count` octets. */
  take(count: number): string {
    const taken = this.#text.slice(this.#at, this.#at + count)
    this.#skip(taken.length)
    return taken
  }

  #skip(count: number): void {
    this.#at += count
    if (this.#at < this.#text.length) return
    this.#text = ''
    this.#at = 0
  }

  /**
   * Octets up to the delimiter, which is taken but not given; undefined: it has not come yet. `from` octets are known
   * not to hold the delimiter's beginning.
   * @throws {StreamLimitError} more than `limit` octets come before it
   */
  takeUntil(delimiter: string, limit: number, from = 0): string | undefined {
    const found = this.#text.indexOf(delimiter, this.#at + from)
    const length = found < 0 ? this.length - delimiter.length + 1 : found - this.#at
    if (length > limit) {
      throw new StreamLimitError(`Cannot read on: more than ${limit} octets without an end`)
    }
    if (found < 0) return undefined
    const taken = this.#text.slice(this.#at, found)
    this.#skip(length + delimiter.length)
    return taken
  }

  clear(): void {
    this.#text = ''
    this.#at = 0
  }
}
