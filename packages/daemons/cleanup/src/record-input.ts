/**
 * record-input - the record stream of a client, read where it lies
 *
 * A cursor over the octets that have arrived. next() moves to the next complete record and costs a few comparisons;
 * payload() and octets() cut it out. takeText() passes over whole runs of message text without looking into lines: a body
 * goes into the queue file as the octets that came in.
 *
 * Limits: a record of at most PAYLOAD_LIMIT octets, so that a client cannot make us wait for one that never ends.
 * Source: Postfix 3.7 queue files; cleanup(8).
 */
import { RecordError } from '@posthorn/queue/queue-error'
import type { ByteStream } from '@posthorn/stream/byte-stream'

/** Clients write lines in pieces of line_length_limit (2048). */
const PAYLOAD_LIMIT = 1024 * 1024
const LINE = 0x4e // N
const PART = 0x4c // L
const DASH = 0x2d

export interface TakeTextOptions {
  /** The record before was an L: the next one does not begin a line. */
  readonly isMidLine: boolean
  readonly stopsAtDashes: boolean
  readonly lineLimit: number
}

export class RecordInput {
  readonly #stream: ByteStream
  #octets = ''
  /** Begin of the current record, its payload, and the next record. */
  #start = 0
  #payload = 0
  #end = 0

  constructor(stream: ByteStream) {
    this.#stream = stream
  }

  /** Of the current record: one letter. */
  get type(): string {
    return this.#octets.charAt(this.#start)
  }

  payload(): string {
    return this.#octets.slice(this.#payload, this.#end)
  }

  /** The current record as it came. */
  octets(): string {
    return this.#octets.slice(this.#start, this.#end)
  }

  /**
   * Moves to the next record; false when it is not all there yet.
   * @throws {RecordError} the length is malformed, or beyond the limit
   */
  next(): boolean {
    return this.#measure(this.#end)
  }

  /** The current record has not been used: next() gives it again. */
  back(): void {
    this.#end = this.#start
  }

  /** Waits for more octets; false = the client has ended its side. */
  async more(): Promise<boolean> {
    if (this.#stream.buffered === '' && !(await this.#stream.fill())) return false
    const rest = this.#octets.slice(this.#end)
    this.#octets = rest + this.#stream.take(this.#stream.buffered.length)
    this.#start = this.#payload = this.#end = 0
    return true
  }

  /**
   * Octets of the text records (N and L) that follow, complete ones only, up to one that needs a look: another type, a CR
   * or LF inside its text, more text than fits a record, or, where boundaries matter, a line that begins with `--`. May be
   * empty.
   */
  takeText(how: TakeTextOptions): { octets: string; isMidLine: boolean } {
    const octets = this.#octets
    const from = this.#end
    let nextCr = octets.indexOf('\r', from)
    let nextLf = octets.indexOf('\n', from)
    let isInLine = how.isMidLine
    for (;;) {
      const type = octets.charCodeAt(this.#end)
      if ((type !== LINE && type !== PART) || !this.#measure(this.#end)) break
      // A length octet may look like CR or LF.
      if (nextCr >= 0 && nextCr < this.#payload) nextCr = octets.indexOf('\r', this.#payload)
      if (nextLf >= 0 && nextLf < this.#payload) nextLf = octets.indexOf('\n', this.#payload)
      const isLong = this.#end - this.#payload > how.lineLimit
      const isStray = (nextCr >= 0 && nextCr < this.#end) || (nextLf >= 0 && nextLf < this.#end)
      if (isLong || isStray || (how.stopsAtDashes && !isInLine && this.#beginsWithDashes())) {
        this.back()
        break
      }
      isInLine = type === PART
    }
    return { octets: octets.slice(from, this.#end), isMidLine: isInLine }
  }

  #beginsWithDashes(): boolean {
    return (
      this.#end - this.#payload >= 2 &&
      this.#octets.charCodeAt(this.#payload) === DASH &&
      this.#octets.charCodeAt(this.#payload + 1) === DASH
    )
  }

  /** Makes the record at `from` the current one if all of it is there. */
  #measure(from: number): boolean {
    const octets = this.#octets
    let at = from + 1
    if (at >= octets.length) return false
    let length = octets.charCodeAt(at++)
    if (length >= 0x80) {
      length -= 0x80
      for (let scale = 0x80; ; scale *= 0x80) {
        if (at >= octets.length) return false
        const octet = octets.charCodeAt(at++)
        length += (octet & 0x7f) * scale
        if (length > PAYLOAD_LIMIT || at - from > 6) {
          throw new RecordError(`Cannot accept record: more than ${PAYLOAD_LIMIT} octets`)
        }
        if (octet < 0x80) break
      }
    }
    const end = at + length
    if (end > octets.length) return false
    this.#start = from
    this.#payload = at
    this.#end = end
    return true
  }
}
