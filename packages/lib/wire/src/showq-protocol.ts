/**
 * showq-protocol - the queue listing that showq(8) writes for postqueue(1)
 *
 * The client sends nothing. After the announcement comes one list per queue file: its head, then any number of
 * recipients with the reason of their delay. An empty list ends the listing. The server writes piece by piece
 * (a message may have very many recipients); the client gets one message at a time.
 *
 * Limits: the list of one message may have 64 MB, as its sender is our own showq(8).
 * Source: Postfix 3.7 showq(8).
 */
import type { AttrList } from './attr-list.ts'
import { AttrReader, group, int, long, text, type ValueOf } from './attr-schema.ts'
import type { Channel } from './channel.ts'
import { AttrError } from './wire-error.ts'

export const showqProtocol = 'mail_queue_list_protocol'

const headFields = {
  queueName: text('queue_name'),
  queueId: text('queue_id'),
  timeSeconds: long('time'),
  sizeBytes: long('size'),
  /** 1: postsuper -e has marked the message */
  forcedExpire: int('forced_expire'),
  /** printable form, never empty */
  sender: text('sender'),
}
const recipientFields = {
  recipient: text('recipient'),
  /** empty: not tried yet */
  reason: text('reason'),
}
const headGroup = group(headFields)
const recipientGroup = group(recipientFields)

export type QueueEntryHead = ValueOf<typeof headFields>
export type QueueEntryRecipient = ValueOf<typeof recipientFields>
export type QueueEntry = QueueEntryHead & { readonly recipients: readonly QueueEntryRecipient[] }

/** The beginning of a message's list; recipients and endOfQueueEntry follow. */
export function encodeQueueEntryHead(head: QueueEntryHead): string {
  return headGroup.encode(head)
}

export function encodeQueueEntryRecipient(recipient: QueueEntryRecipient): string {
  return recipientGroup.encode(recipient)
}

export const endOfQueueEntry = '\0'
/** The empty list after the last message. */
export const endOfListing = '\0'

/** @throws {AttrError} the list is not as above */
export function parseQueueEntry(attrs: AttrList): QueueEntry {
  const reader = new AttrReader(attrs, 'refuse')
  const head = headGroup.parse(reader)
  const recipients: QueueEntryRecipient[] = []
  while (reader.isNext('recipient')) recipients.push(recipientGroup.parse(reader))
  reader.end()
  return { ...head, recipients }
}

const entryLimits = { octets: 67_108_864, attributes: 2_000_000 }

/**
 * Reads the listing after the announcement.
 *
 * @throws {AttrError} it is malformed, or breaks off before its end
 */
export async function* readQueueListing(channel: Channel): AsyncGenerator<QueueEntry, void> {
  for (;;) {
    const attrs = await channel.receive(entryLimits)
    if (attrs === undefined) throw new AttrError('Cannot read queue listing: it breaks off')
    if (attrs.length === 0) return
    yield parseQueueEntry(attrs)
  }
}
