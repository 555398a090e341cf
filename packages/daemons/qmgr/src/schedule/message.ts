/**
 * message - one message of the active queue
 *
 * A message has one job for each transport that its recipients need. Its recipients may be more than memory
 * should hold: they are read in batches, and `unreadCount` of them are still in the queue file.
 */
import type { Envelope } from '@posthorn/queue/envelope'
import type { QueueId } from '@posthorn/queue/queue-id'
import type { Job } from './job.ts'
import type { Transport } from './transport.ts'

export interface MessageFacts {
  /** Without its recipients: those that are in memory belong to the jobs. */
  readonly envelope: Envelope
  /** Wall clock when it entered the active queue. */
  readonly activeMs: number
  /** The same for the scheduler: whole seconds, never earlier than the messages before it. */
  readonly queuedSeconds: number
  /** Returned to the sender as if it were too old. */
  readonly isForceExpired: boolean
  /** Flushed by its id: transports and destinations that it meets are tried, dead or not. */
  readonly unthrottles: boolean
  /** The two characters; empty: one envelope sender for all recipients. */
  readonly verpDelimiters: string
}

export class ActiveMessage {
  readonly id: QueueId
  readonly facts: MessageFacts
  readonly jobs = new Map<Transport, Job>()
  /** Delivery requests that wait or run, and other work that keeps the message from being finished. */
  entryCount = 0
  /** Recipients still in the queue file only, and where they begin. */
  unreadCount = 0
  resumeOffset = 0
  /** Recipients in memory, and how many there may be. */
  recipientCount = 0
  recipientLimit: number
  lastReadSeconds: number
  /** A read of more recipients is under way. */
  isReading = false
  /** Something remains to be done: the message goes back to the deferred queue. */
  isDeferred = false
  /** The rest of the recipients cannot be read. */
  isCorrupt = false
  /** Some recipient wants to know of success (RFC 3461). */
  wantsSuccess = false

  /** @param recipientLimit qmgr_message_recipient_minimum */
  constructor(id: QueueId, facts: MessageFacts, recipientLimit: number) {
    this.id = id
    this.facts = facts
    this.recipientLimit = recipientLimit
    this.lastReadSeconds = facts.queuedSeconds
  }

  get freeSlots(): number {
    return this.recipientLimit - this.recipientCount
  }
}
