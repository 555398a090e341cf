/**
 * queue-table - the queue listing of mailq(1)
 *
 * Scripts parse it, so each column counts. Source: Postfix 3.7 postqueue(1).
 */
import { formatCtime } from '@posthorn/queue/ctime'
import type { QueueEntry } from '@posthorn/wire/showq-protocol'

/** A reason ends in this column. */
const REASON_COLUMNS = 76

interface Columns {
  readonly header: string
  readonly id: number
  readonly size: number
  readonly time: number
}

const SHORT: Columns = {
  header: '-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------',
  id: 11,
  size: 7,
  time: 20,
}
const LONG: Columns = {
  header: '----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------',
  id: 17,
  size: 8,
  time: 19,
}

export class QueueTable {
  readonly #columns: Columns
  #count = 0
  #sizeBytes = 0

  /** @param longIds enable_long_queue_ids */
  constructor(longIds: boolean) {
    this.#columns = longIds ? LONG : SHORT
  }

  /** The lines of one message, after the header when it is the first one. */
  add(entry: QueueEntry): string {
    const { id, size, time, header } = this.#columns
    const name = (entry.queueId + marks(entry)).padEnd(id)
    const clock = formatCtime(entry.timeSeconds).slice(0, time).padStart(time)
    let text = this.#count === 0 ? `${header}\n` : ''
    text += `${name} ${String(entry.sizeBytes).padStart(size)} ${clock} ${entry.sender}\n`
    const indent = ' '.repeat(id + size + time + 3)
    let last = ''
    for (const { recipient, reason } of entry.recipients) {
      if (reason !== last) {
        last = reason
        text += formatReason(reason)
      }
      text += `${indent}${recipient}\n`
    }
    this.#count += 1
    this.#sizeBytes += entry.sizeBytes
    return `${text}\n`
  }

  end(): string {
    if (this.#count === 0) return 'Mail queue is empty\n'
    const kilobytes = Math.floor(this.#sizeBytes / 1024)
    const plural = this.#count === 1 ? '' : 's'
    return `-- ${kilobytes} Kbytes in ${this.#count} Request${plural}.\n`
  }
}

function marks({ queueName, forcedExpire }: QueueEntry): string {
  const place = queueName === 'active' ? '*' : queueName === 'hold' ? '!' : ''
  return forcedExpire === 0 ? place : `${place}#`
}

function formatReason(reason: string): string {
  const text = reason === '' ? 'reason unavailable' : reason
  return `${' '.repeat(Math.max(0, REASON_COLUMNS - text.length))}(${text})\n`
}
