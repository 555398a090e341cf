/**
 * output-queue - octets that wait for the kernel to take them
 *
 * Strings that follow each other are joined, so that they go out in one system call. Knows no events: the owner calls
 * drain() whenever the descriptor may take more.
 */
import type { Transport } from './transport.ts'

export class OutputQueue {
  readonly #parts: (string | Buffer)[] = []
  #length = 0

  /** Octets that wait. */
  get length(): number {
    return this.#length
  }

  push(octets: string | Buffer): void {
    if (octets.length === 0) return
    this.#length += octets.length
    const last = this.#parts.at(-1)
    if (typeof octets === 'string' && typeof last === 'string') {
      this.#parts[this.#parts.length - 1] = last + octets
    } else {
      this.#parts.push(octets)
    }
  }

  /** Writes until nothing is left or the transport would make us wait. @throws {SystemError} */
  drain(transport: Transport): void {
    for (;;) {
      const head = this.#parts[0]
      if (head === undefined || !transport.maybeWritable) return
      const count = transport.write(head)
      this.#length -= count
      if (count === head.length) this.#parts.shift()
      else this.#parts[0] = typeof head === 'string' ? head.slice(count) : head.subarray(count)
    }
  }

  clear(): void {
    this.#parts.length = 0
    this.#length = 0
  }
}
