/**
 * size-record - the first record of a queue file: where the content is, and how much of it
 *
 * Six decimal fields of 15 columns, so that cleanup(8) can write zeros first and the truth over
 * them when the message is complete.
 */
import { QueueFileCorruptError } from './queue-error.ts'
import { encodeRecord, RECORD } from './record.ts'

export interface SizeRecord {
  /** Octets from the first content record up to the X record. */
  readonly dataSize: number
  /** File offset of the first content record. */
  readonly dataOffset: number
  readonly recipientCount: number
  /** bit 1: recipients are mixed with other records; bits 2 to 16: all notify flags, shifted by one */
  readonly flags: number
  /** Octets of content records that are reached when pointers are followed. */
  readonly contentLength: number
  /** 1 requested, 2 header, 4 sender; 16 TLS-Required: No, 32 REQUIRETLS. */
  readonly smtputf8: number
}

/** Octets of the encoded record. */
export const SIZE_RECORD_OCTETS = 97
export const SIZE_FLAG_MIXED = 1
const KNOWN_FLAGS = 31

/** Decimal text in the fixed width that in-place updates need. */
export function padNumber(value: number): string {
  return String(value).padStart(15)
}

export function encodeSizeRecord(size: SizeRecord): string {
  const fields = [
    size.dataSize,
    size.dataOffset,
    size.recipientCount,
    size.flags,
    size.contentLength,
    size.smtputf8,
  ]
  return encodeRecord(RECORD.size, fields.map(padNumber).join(' '))
}

/** Of a submission, whose size nobody knows yet: what it asks for, and -1 for the rest. As Postfix 3.11 writes it. */
export function encodePreliminarySize(sendOptions: number): string {
  return encodeRecord(RECORD.size, [-1, -1, -1, -1, -1, sendOptions].map(padNumber).join(' '))
}

/** What a message asks for (SMTPUTF8_FLAGS, SENDOPT_FLAGS), before it is stored or when it is stored anew. 0: nothing. */
export function parseSendOptions(payload: string): number {
  return leadingIntegers(payload)[5] ?? 0
}

/** Of a submission: only what it asks for. */
export function isPreliminarySize(payload: string): boolean {
  const fields = leadingIntegers(payload)
  return fields.length === 6 && fields.slice(0, 5).every((field) => field === -1)
}

/**
 * Undefined: the one-field form of before Postfix 1.0 (the message record then says where it ends), or that of a submission.
 * @throws {QueueFileCorruptError} no numbers, or numbers that cannot be
 */
export function parseSizeRecord(payload: string): SizeRecord | undefined {
  const fields = leadingIntegers(payload)
  const [dataSize = 0, dataOffset = 0, recipientCount = 0] = fields
  if (fields.length === 1 && dataSize > 0) return undefined
  if (isPreliminarySize(payload)) return undefined
  const [, , , flags = SIZE_FLAG_MIXED, contentLength = 0, smtputf8 = 0] = fields
  if (fields.length < 3 || dataSize <= 0 || dataOffset <= 0 || contentLength < 0) {
    throw new QueueFileCorruptError(`invalid size record: ${payload}`)
  }
  if ((flags & ~KNOWN_FLAGS) !== 0) {
    throw new QueueFileCorruptError(`invalid flags in size record: ${payload}`)
  }
  return {
    dataSize,
    dataOffset,
    recipientCount,
    flags,
    contentLength: contentLength === 0 ? dataSize : contentLength,
    smtputf8,
  }
}

function leadingIntegers(text: string): number[] {
  const values: number[] = []
  for (const word of text.trim().split(/\s+/)) {
    const value = /^[+-]?\d{1,15}$/.test(word) ? Number(word) : Number.NaN
    if (Number.isNaN(value)) break
    values.push(value)
  }
  return values
}
