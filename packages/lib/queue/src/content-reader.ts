/**
 * content-reader - the text of a message for those who deliver it
 *
 * A text line is zero or more L records and one N record. readContent() gives chunks for copying,
 * ContentReader single pieces for those who must look at each line.
 *
 * Limits: memory stays at one read (256 KB) and one chunk (64 KB), whatever the size of the message.
 */
import { QueueFileCorruptError, RecordError } from './queue-error.ts'
import { RecordFile, type FileRecord } from './record-file.ts'
import { RECORD } from './record.ts'

const CHUNK_OCTETS = 64 * 1024
/** Up to here content is read synchronously: 20 us, less than a trip to the thread pool. */
const SYNCHRONOUS_OCTETS = 64 * 1024
const READ_OCTETS = 256 * 1024
/** Below this the next record may need another read. */
const LOW_WATER_OCTETS = 8 * 1024

export interface ContentPiece {
  readonly text: string
  /** False: the line goes on with the next piece. */
  readonly endsLine: boolean
}

export class ContentReader {
  readonly #file: RecordFile
  readonly #start: number
  #isAtEnd = false
  #isLarge = false

  /** @param dataOffset of the first content record; the descriptor stays the caller's */
  constructor(fd: number, dataOffset: number) {
    this.#file = new RecordFile(fd, dataOffset)
    this.#start = dataOffset
  }

  /**
   * The next piece; undefined after the last one.
   * @throws {QueueFileCorruptError} anything but text before the X record
   */
  next(): ContentPiece | undefined {
    while (!this.#isAtEnd) {
      const record = this.#read()
      switch (record?.type) {
        case RECORD.line:
          return { text: record.payload, endsLine: true }
        case RECORD.part:
          return { text: record.payload, endsLine: false }
        case RECORD.padding:
          break
        case RECORD.extracted:
          this.#isAtEnd = true
          break
        default:
          throw new QueueFileCorruptError(
            record === undefined
              ? 'missing end of message content'
              : `unexpected record type '${record.type}' at offset ${record.offset} in message content`,
          )
      }
    }
    return undefined
  }

  /** Await this now and then (each 64 KB or so) so that the disk is not waited for in next(). */
  async ready(): Promise<void> {
    if (this.#file.readyOctets >= LOW_WATER_OCTETS || this.#isAtEnd) return
    this.#isLarge ||= this.#file.position - this.#start >= SYNCHRONOUS_OCTETS
    if (this.#isLarge) await this.#file.prefetch(READ_OCTETS)
  }

  #read(): FileRecord | undefined {
    try {
      return this.#file.read()
    } catch (error) {
      if (error instanceof RecordError) {
        throw new QueueFileCorruptError(error.message, { cause: error })
      }
      throw error
    }
  }
}

/**
 * The text in chunks of about 64 KB; a chunk ends at a record, which in an overlong line need not be
 * the end of a line.
 * @param lineEnd what follows each line: LF for files and pipes, CRLF for SMTP
 * @throws {QueueFileCorruptError} see ContentReader
 */
export async function* readContent(
  fd: number,
  dataOffset: number,
  lineEnd: '\n' | '\r\n',
): AsyncGenerator<string, void, undefined> {
  const reader = new ContentReader(fd, dataOffset)
  for (;;) {
    await reader.ready()
    let chunk = ''
    let piece: ContentPiece | undefined
    while (chunk.length < CHUNK_OCTETS) {
      piece = reader.next()
      if (piece === undefined) break
      chunk += piece.endsLine ? piece.text + lineEnd : piece.text
    }
    if (chunk !== '') yield chunk
    if (piece === undefined) return
  }
}
