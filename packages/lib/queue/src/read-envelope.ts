/**
 * read-envelope - reads and validates the envelope of a queue file
 *
 *   C, envelope records, M | content, skipped by seeking | X, extracted records, E
 *
 * A message can have a million recipients. The first read takes a limited number and remembers
 * where to go on; the records that follow them in their segment are then recipients only, unless
 * the size record says that they are mixed: then everything is looked at before the first delivery.
 *
 * Limits: 10000 recipient records a read (5 ms), so a read may give fewer recipients than asked for.
 * Source: Postfix 3.7 qmgr(8).
 */
import { EnvelopeBuilder, type Envelope } from './envelope.ts'
import { QueueFileCorruptError, RecordError } from './queue-error.ts'
import type { QueueRecipient } from './queue-recipient.ts'
import { RecordFile, type FileRecord } from './record-file.ts'
import { RECORD, untilNul } from './record.ts'
import { parseSizeRecord, SIZE_FLAG_MIXED, type SizeRecord } from './size-record.ts'

const SCANNED_RECIPIENTS_LIMIT = 10_000

export interface ReadEnvelopeOptions {
  /** Most recipients to take; default all. */
  readonly recipientLimit?: number
}

export interface RecipientBatch {
  readonly recipients: readonly QueueRecipient[]
  /** 0 = these were the last ones. */
  readonly resumeOffset: number
  /** Recipient records that were passed for this batch. */
  readonly recipientsSeen: number
  readonly warnings: readonly string[]
}

/** @throws {QueueFileCorruptError} the file must not be delivered; its message is fit for the log */
export function readEnvelope(fd: number, options: ReadEnvelopeOptions = {}): Envelope {
  const builder = new EnvelopeBuilder()
  const walk = new EnvelopeWalk(new RecordFile(fd), builder, options.recipientLimit)
  const resumeOffset = walk.readFrom('envelope')
  return builder.build(resumeOffset)
}

/** Reads on where readEnvelope() or the last batch stopped. */
export function readRecipients(
  fd: number,
  size: SizeRecord,
  resumeOffset: number,
  recipientLimit: number,
): RecipientBatch {
  const builder = new EnvelopeBuilder()
  builder.size = size
  const walk = new EnvelopeWalk(new RecordFile(fd, resumeOffset), builder, recipientLimit)
  const next = walk.readFrom(resumeOffset < size.dataOffset ? 'envelope' : 'extracted')
  return {
    recipients: builder.recipients,
    resumeOffset: next,
    recipientsSeen: builder.recipientsSeen,
    warnings: builder.warnings,
  }
}

class EnvelopeWalk {
  readonly #file: RecordFile
  readonly #builder: EnvelopeBuilder
  readonly #recipientLimit: number
  readonly #scanLimit: number
  #resumeOffset = 0
  #hasSize: boolean
  /** The envelope is known: only recipients are wanted, and no more than fit. */
  readonly #isBatch: boolean

  constructor(file: RecordFile, builder: EnvelopeBuilder, recipientLimit: number | undefined) {
    this.#file = file
    this.#builder = builder
    this.#recipientLimit = recipientLimit ?? Number.POSITIVE_INFINITY
    this.#scanLimit =
      recipientLimit === undefined ? Number.POSITIVE_INFINITY : SCANNED_RECIPIENTS_LIMIT
    this.#hasSize = builder.size !== undefined
    this.#isBatch = this.#hasSize
  }

  readFrom(start: 'envelope' | 'extracted'): number {
    let segment = start
    for (;;) {
      const record = this.#read()
      if (record.type === RECORD.size && !this.#hasSize) {
        this.#builder.size = parseSizeRecord(untilNul(record.payload))
        this.#hasSize = true
      } else if (record.type === RECORD.message && segment === 'envelope') {
        this.#builder.endSegment()
        this.#skipContent(record)
        segment = 'extracted'
      } else if (record.type === RECORD.end) {
        this.#builder.endSegment()
        return this.#resumeOffset
      } else if (this.#resumeOffset > 0 && isRecipientRelated(record)) {
        if (segment === 'extracted' && !this.#isMixed) return this.#resumeOffset
      } else {
        this.#builder.add(record)
        if (isRecipient(record) && this.#isFull && this.#resumeOffset === 0) {
          this.#resumeOffset = this.#file.position
          if (this.#isBatch) return this.#resumeOffset
          if (!this.#isMixed) {
            if (segment === 'extracted') return this.#resumeOffset
            this.#skipContent(record)
            segment = 'extracted'
          }
        }
      }
    }
  }

  get #isFull(): boolean {
    const { recipients, recipientsSeen } = this.#builder
    return recipients.length >= this.#recipientLimit || recipientsSeen >= this.#scanLimit
  }

  get #isMixed(): boolean {
    return this.#builder.size === undefined || (this.#builder.size.flags & SIZE_FLAG_MIXED) !== 0
  }

  /** Goes to the X record, the only one that may follow the content. */
  #skipContent(message: FileRecord): void {
    this.#builder.size ??= this.#sizeFromMessage(message)
    const { dataOffset, dataSize } = this.#builder.size
    this.#file.seek(dataOffset + dataSize)
    const record = this.#read()
    if (record.type !== RECORD.extracted) throw unexpected(record)
  }

  /** Before Postfix 1.0 the message record said where the content ends. */
  #sizeFromMessage(message: FileRecord): SizeRecord {
    const end = /^\s*(\d{1,15})$/.exec(untilNul(message.payload))?.[1]
    const dataOffset = this.#file.position
    const dataSize = Number(end ?? 0) - dataOffset
    if (!this.#hasSize) throw new QueueFileCorruptError('message rejected: missing size record')
    if (dataSize <= 0) throw new QueueFileCorruptError('message rejected: weird size record')
    return {
      dataSize,
      dataOffset,
      recipientCount: 0,
      flags: SIZE_FLAG_MIXED,
      contentLength: dataSize,
      smtputf8: 0,
    }
  }

  #read(): FileRecord {
    try {
      const record = this.#file.read()
      if (record !== undefined) return record
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      throw new QueueFileCorruptError(error.message, { cause: error })
    }
    throw new QueueFileCorruptError('message rejected: missing end record')
  }
}

function isRecipient({ type }: FileRecord): boolean {
  return type === RECORD.recipient || type === RECORD.done || type === RECORD.canceled
}

/** Recipients, and the records that belong to the recipient behind them. */
function isRecipientRelated(record: FileRecord): boolean {
  if (isRecipient(record)) return true
  switch (record.type) {
    case RECORD.originalRecipient:
    case RECORD.dsnOriginalRecipient:
    case RECORD.dsnNotify:
      return true
    case RECORD.attribute:
      return /^\s*(?:notify_flags|dsn_orig_rcpt)\s*=/.test(record.payload)
    default:
      return false
  }
}

function unexpected(record: FileRecord): QueueFileCorruptError {
  return new QueueFileCorruptError(
    `Unexpected record type '${record.type}' at offset ${record.offset}`,
  )
}
