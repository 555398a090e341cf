/**
 * original-message - the message that a notice is about
 *
 * It can be incomplete or damaged: cleanup(8) returns mail that it refused halfway. What cannot be
 * read is left out of the notice. The file is locked (shared) while it is read.
 */
import { log } from '@posthorn/log/log'
import { RecordError, QueueFileCorruptError } from '@posthorn/queue/queue-error'
import type { QueueId } from '@posthorn/queue/queue-id'
import type { QueueLayout, QueueName } from '@posthorn/queue/queue-layout'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { RECORD, untilNul } from '@posthorn/queue/record'
import { RecordFile } from '@posthorn/queue/record-file'
import { ContentReader, type ContentPiece } from '@posthorn/queue/content-reader'
import { parseSizeRecord } from '@posthorn/queue/size-record'
import { parseTimeRecord } from '@posthorn/queue/time-record'
import { isContinuation, isHeaderStart } from '@posthorn/message/header-line'

/** Records to look at before the size record is believed missing. */
const RECORDS_LIMIT = 1000
/** A Message-Id of this length is no identifier any more. */
const MESSAGE_ID_LIMIT = 998

export class OriginalMessage {
  /** Undefined: the file does not say. */
  readonly arrivalSeconds: number | undefined
  /** Of the content; 0 when not known. */
  readonly sizeBytes: number
  readonly #id: QueueId
  readonly #file: OpenQueueFile
  readonly #dataOffset: number | undefined

  private constructor(
    id: QueueId,
    file: OpenQueueFile,
    facts: { arrivalSeconds?: number; sizeBytes: number; dataOffset?: number },
  ) {
    this.#id = id
    this.#file = file
    this.arrivalSeconds = facts.arrivalSeconds
    this.sizeBytes = facts.sizeBytes
    this.#dataOffset = facts.dataOffset
  }

  /**
   * Undefined: there is no such file.
   * @throws {QueueFileLockedError} errors of system calls as they are
   */
  static open(layout: QueueLayout, queue: QueueName, id: QueueId): OriginalMessage | undefined {
    const file = OpenQueueFile.open(layout, queue, id, 'shared')
    if (file === undefined) return undefined
    try {
      return new OriginalMessage(id, file, readFacts(file.fd))
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** False: nothing of the text can be returned. */
  get hasContent(): boolean {
    return this.#dataOffset !== undefined
  }

  markDone(offset: number): void {
    if (offset > 0) this.#file.markDone(offset)
  }

  close(): void {
    this.#file.close()
  }

  /** `<id>`; undefined when there is none, or one that is malformed. Reads the header only. */
  async findMessageId(): Promise<string | undefined> {
    for await (const { text } of this.pieces(true)) {
      const value = /^Message-Id:(.*)/is.exec(text)?.[1]?.trim()
      if (value === undefined) continue
      if (value.length <= MESSAGE_ID_LIMIT && /^<[^<>\s]+>$/.test(value)) return value
      log.warning(`${this.#id}: ignoring malformed Message-ID`)
      return undefined
    }
    return undefined
  }

  /** The text, as it is stored; it ends early where it is damaged. */
  async *pieces(headersOnly: boolean): AsyncGenerator<ContentPiece, void, undefined> {
    if (this.#dataOffset === undefined) return
    const reader = new ContentReader(this.#file.fd, this.#dataOffset)
    let isLineStart = true
    try {
      for (;;) {
        await reader.ready()
        const piece = reader.next()
        if (piece === undefined) return
        if (
          headersOnly &&
          isLineStart &&
          !isHeaderStart(piece.text) &&
          !isContinuation(piece.text)
        ) {
          return
        }
        isLineStart = piece.endsLine
        yield piece
      }
    } catch (error) {
      if (!(error instanceof QueueFileCorruptError)) throw error
    }
  }
}

function readFacts(fd: number): {
  arrivalSeconds?: number
  sizeBytes: number
  dataOffset?: number
} {
  const file = new RecordFile(fd)
  let arrivalSeconds: number | undefined
  let size: { dataSize: number; dataOffset: number } | undefined
  let dataOffset: number | undefined
  try {
    for (let count = 0; count < RECORDS_LIMIT; count += 1) {
      const record = file.read()
      if (record === undefined) break
      if (record.type === RECORD.size) size ??= findSize(untilNul(record.payload))
      if (record.type === RECORD.time) arrivalSeconds ??= parseTimeRecord(record.payload)?.seconds
      if (record.type === RECORD.message) dataOffset = file.position
      if (dataOffset !== undefined || (size !== undefined && arrivalSeconds !== undefined)) break
    }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
  }
  dataOffset ??= size?.dataOffset
  return {
    ...(arrivalSeconds === undefined ? {} : { arrivalSeconds }),
    ...(dataOffset === undefined ? {} : { dataOffset }),
    sizeBytes: size?.dataSize ?? 0,
  }
}

/** Zeros while the message is being written. */
function findSize(payload: string): { dataSize: number; dataOffset: number } | undefined {
  try {
    return parseSizeRecord(payload)
  } catch (error) {
    if (error instanceof QueueFileCorruptError) return undefined
    throw error
  }
}
