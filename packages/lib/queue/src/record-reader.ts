/**
 * record-reader - records out of a stream of octets, in whatever pieces it arrives
 *
 * For submissions: cleanup(8) and postdrop(1) read their clients through it. It knows neither
 * pointers nor files. Whoever pushes octets bounds what is pending: a payload longer than the limit
 * is refused as soon as its length is known.
 */
import { RecordError } from './queue-error.ts'
import { describeTruncation, parseRecord, type QueueRecord } from './record.ts'

export class RecordReader {
  readonly #limitOctets: number
  #octets = ''
  #at = 0

  /** @param limitOctets longest payload accepted; 0 = any, for input that we wrote ourselves */
  constructor(limitOctets = 0) {
    this.#limitOctets = limitOctets
  }

  push(octets: string): void {
    this.#octets = this.#at < this.#octets.length ? this.#octets.slice(this.#at) + octets : octets
    this.#at = 0
  }

  /**
   * The next record, or undefined when more octets are needed.
   * @throws {RecordError} the stream is no record stream, or a record is too long
   */
  next(): QueueRecord | undefined {
    if (this.#at === this.#octets.length) return undefined
    const record = parseRecord(this.#octets, this.#at, this.#limitOctets)
    if (record !== undefined) this.#at = record.end
    return record
  }

  /** Octets that wait for the rest of their record, or that follow the last record taken. */
  get pending(): string {
    return this.#octets.slice(this.#at)
  }

  /** @throws {RecordError} the stream ended inside a record */
  end(): void {
    if (this.#at < this.#octets.length) throw new RecordError(describeTruncation(this.pending))
  }
}
