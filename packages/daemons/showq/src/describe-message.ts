/**
 * describe-message - one message of the listing
 *
 * First come the recipients in the defer log, with their reasons; then those in the queue file that
 * the log does not have. A message without a sender is not listed: it is no message, or not yet.
 * Source: Postfix 3.7 showq(8).
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { printable } from '@posthorn/log/printable'
import type { QueueId } from '@posthorn/queue/queue-id'
import { RecordError, QueueFileCorruptError } from '@posthorn/queue/queue-error'
import type { MessageQueue, QueueLayout } from '@posthorn/queue/queue-layout'
import { readMessageLog } from '@posthorn/queue/read-message-log'
import { RECORD, untilNul } from '@posthorn/queue/record'
import { RecordFile } from '@posthorn/queue/record-file'
import { parseSizeRecord, type SizeRecord } from '@posthorn/queue/size-record'
import { parseTimeRecord } from '@posthorn/queue/time-record'
import {
  encodeQueueEntryHead,
  encodeQueueEntryRecipient,
  endOfQueueEntry,
} from '@posthorn/wire/showq-protocol'

export interface DescribeOptions {
  /** Shown for the empty address. */
  readonly emptyAddress: string
  /** Recipients of the defer log that are remembered. */
  readonly duplicateLimit: number
  readonly warn: (text: string) => void
}

export interface ListedMessage {
  readonly queue: MessageQueue
  readonly id: QueueId
  readonly fd: number
  /** Of the file. */
  readonly sizeBytes: number
  readonly modifiedSeconds: number
  readonly isForceExpired: boolean
}

const READ_OCTETS = 256 * 1024
const LOW_WATER_OCTETS = 8 * 1024
const PIECE_OCTETS = 16 * 1024

export async function* describeMessage(
  layout: QueueLayout,
  message: ListedMessage,
  options: DescribeOptions,
): AsyncGenerator<string, void, undefined> {
  const description = new Description(layout, message, options)
  try {
    while (await description.takeRecord()) {
      if (description.text.length >= PIECE_OCTETS) yield description.takeText()
    }
  } catch (error) {
    if (!(error instanceof RecordError || error instanceof QueueFileCorruptError)) throw error
    options.warn(`${message.queue}/${message.id}: ${error.message}`)
  }
  if (description.hasSender) yield description.takeText() + endOfQueueEntry
}

class Description {
  text = ''
  hasSender = false
  readonly #layout: QueueLayout
  readonly #message: ListedMessage
  readonly #options: DescribeOptions
  readonly #file: RecordFile
  readonly #logged = new Set<string>()
  #size: SizeRecord | undefined
  #arrivalSeconds: number | undefined

  constructor(layout: QueueLayout, message: ListedMessage, options: DescribeOptions) {
    this.#layout = layout
    this.#message = message
    this.#options = options
    this.#file = new RecordFile(message.fd)
  }

  takeText(): string {
    const { text } = this
    this.text = ''
    return text
  }

  /** False after the last record. */
  async takeRecord(): Promise<boolean> {
    const record = this.#file.read()
    switch (record?.type) {
      case undefined:
      case RECORD.end:
        return false
      case RECORD.size:
        this.#size ??= parseSizeRecord(untilNul(record.payload))
        return true
      case RECORD.time:
        this.#arrivalSeconds ??= parseTimeRecord(record.payload)?.seconds
        return true
      case RECORD.sender:
        if (!this.hasSender) this.#begin(untilNul(record.payload))
        return true
      case RECORD.recipient:
        this.#addRecipient(untilNul(record.payload))
        return true
      case RECORD.message:
        await this.#skipContent()
        return true
      default:
        return true
    }
  }

  #begin(sender: string): void {
    const { queue, id, isForceExpired, sizeBytes, modifiedSeconds } = this.#message
    this.hasSender = true
    this.text += encodeQueueEntryHead({
      queueName: queue,
      queueId: id,
      timeSeconds: this.#arrivalSeconds ?? modifiedSeconds,
      sizeBytes: this.#size?.dataSize ?? sizeBytes,
      forcedExpire: isForceExpired ? 1 : 0,
      sender: this.#show(quoteAddress(sender)),
    })
    for (const { recipient, dsn } of readMessageLog(this.#layout, 'defer', id)) {
      this.text += encodeQueueEntryRecipient({
        recipient: this.#show(recipient.recipient),
        reason: printable(dsn.reason),
      })
      if (this.#logged.size < this.#options.duplicateLimit) this.#logged.add(recipient.recipient)
    }
  }

  #addRecipient(address: string): void {
    const external = quoteAddress(address)
    if (!this.hasSender || this.#logged.has(external)) return
    this.text += encodeQueueEntryRecipient({ recipient: this.#show(external), reason: '' })
  }

  #show(external: string): string {
    return external === '' ? this.#options.emptyAddress : printable(external)
  }

  /** A file in maildrop does not say where its content ends. */
  async #skipContent(): Promise<void> {
    if (this.#size !== undefined) {
      this.#file.seek(this.#size.dataOffset + this.#size.dataSize)
      return
    }
    const start = this.#file.position
    for (;;) {
      const isLarge = this.#file.position - start > READ_OCTETS
      if (isLarge && this.#file.readyOctets < LOW_WATER_OCTETS) {
        await this.#file.prefetch(READ_OCTETS)
      }
      const record = this.#file.read()
      if (record === undefined || record.type === RECORD.extracted) return
    }
  }
}
