/**
 * record-file - the records of a queue file, read from any offset
 *
 * A file that a Milter changed has pointer records: reading goes on at the offset that they name.
 * What an overwritten record left behind a pointer is garbage, so a reader that ignores pointers
 * gets lost.
 *
 * Reads synchronously in windows of 16 KB (6 us on a cached file); who reads much content calls
 * prefetch() first, which waits for the disk without holding up the process.
 * Limits: a record of 16 MB; 10000 jumps that do not lead forward.
 */
import { read, readSync } from 'node:fs'
import { RecordError } from './queue-error.ts'
import { describeTruncation, parseRecord, RECORD, untilNul, type QueueRecord } from './record.ts'

const WINDOW_OCTETS = 16 * 1024
const RECORD_OCTETS_LIMIT = 16 * 1024 * 1024
const BACKWARD_JUMPS_LIMIT = 10_000
const windowBuffer = Buffer.allocUnsafeSlow(WINDOW_OCTETS)

export interface FileRecord extends QueueRecord {
  /** Of the type octet in the file. */
  readonly offset: number
}

/** Does not own the descriptor, and does not move its file position. */
export class RecordFile {
  readonly fd: number
  #position: number
  #window = ''
  #windowStart = 0
  #lastTarget = 0
  #backwardJumps = 0

  constructor(fd: number, from = 0) {
    this.fd = fd
    this.#position = from
  }

  /** Where the next record begins. */
  get position(): number {
    return this.#position
  }

  seek(offset: number): void {
    this.#position = offset
  }

  /**
   * The next record in reading order; undefined at the end of the file.
   * @throws {RecordError} damaged record, malformed pointer, or pointers that lead in circles
   */
  read(): FileRecord | undefined {
    for (;;) {
      const record = this.readPlain()
      if (record?.type !== RECORD.pointer) return record
      this.follow(record)
    }
  }

  /** Goes where a pointer record leads: nowhere when it holds 0. */
  follow(pointer: FileRecord): void {
    const target = parsePointer(pointer.payload)
    if (target === 0) return
    if (target <= this.#lastTarget) this.#backwardJumps += 1
    if (this.#backwardJumps > BACKWARD_JUMPS_LIMIT) {
      throw new RecordError('Cannot read records: pointers lead in circles')
    }
    this.#lastTarget = target
    this.#position = target
  }

  /** The next record in file order; pointers are records like others. */
  readPlain(): FileRecord | undefined {
    const offset = this.#position
    const inWindow = offset - this.#windowStart
    if (inWindow >= 0 && inWindow < this.#window.length) {
      const found = this.#parse(inWindow)
      if (found !== undefined) return found
    }
    for (let wanted = WINDOW_OCTETS; ; wanted *= 8) {
      this.#load(wanted)
      if (this.#window === '') return undefined
      const found = this.#parse(0)
      if (found !== undefined) return found
      if (this.#window.length < wanted) {
        throw new RecordError(describeTruncation(this.#window))
      }
    }
  }

  /** Octets from the position on that read() takes without touching the file. */
  get readyOctets(): number {
    const ready = this.#windowStart + this.#window.length - this.#position
    return this.#position < this.#windowStart ? 0 : Math.max(0, ready)
  }

  /** Reads `octets` from the position on, off the main thread. Do not read or seek meanwhile. */
  async prefetch(octets: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(octets)
    const start = this.#position
    const count = await new Promise<number>((resolve, reject) => {
      read(this.fd, buffer, 0, octets, start, (error, bytesRead) => {
        if (error === null) resolve(bytesRead)
        else reject(error)
      })
    })
    this.#window = buffer.toString('latin1', 0, count)
    this.#windowStart = start
  }

  #parse(at: number): FileRecord | undefined {
    const found = parseRecord(this.#window, at, RECORD_OCTETS_LIMIT)
    if (found === undefined) return undefined
    const offset = this.#position
    this.#position = this.#windowStart + found.end
    return { type: found.type, payload: found.payload, offset }
  }

  #load(octets: number): void {
    const buffer = octets === WINDOW_OCTETS ? windowBuffer : Buffer.allocUnsafe(octets)
    // eslint-disable-next-line n/no-sync -- 3 us on cached data (docs/performance.md 7)
    const count = readSync(this.fd, buffer, 0, octets, this.#position)
    this.#window = buffer.toString('latin1', 0, count)
    this.#windowStart = this.#position
  }
}

/**
 * The file offset in a pointer record; 0 = read on behind it.
 * @throws {RecordError} not a decimal number
 */
export function parsePointer(payload: string): number {
  const found = /^\s*(\d{1,15})$/.exec(untilNul(payload))
  if (found === null) throw new RecordError(`malformed pointer record value: ${payload}`)
  return Number(found[1])
}
