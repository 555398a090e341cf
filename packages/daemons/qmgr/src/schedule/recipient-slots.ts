/**
 * recipient-slots - how many recipients each message may have in memory
 *
 * A transport owns a pool of slots. A job that enters the list takes all that are free; a message that has been
 * read to its end gives back what it does not use, and that goes to the oldest message that still has recipients
 * to read. Over all jobs and the pool the sum stays <transport>_recipient_limit, except for extra slots.
 *
 * Source: Postfix 3.7 qmgr(8), SCHEDULER_README.
 */
import type { Job } from './job.ts'
import type { Transport } from './transport.ts'

export function takeFreeSlots(job: Job): void {
  grant(job, Math.max(0, job.transport.freeSlots))
}

/** A preempting job with unread recipients gets half of what is left of the extra limit. */
export function takeExtraSlots(job: Job): void {
  const { freeSlots, settings } = job.transport
  if (job.message.unreadCount === 0) return
  grant(job, Math.max(0, Math.floor((settings.extraRecipientLimit + freeSlots + 1) / 2)))
}

/** Gives back what the job and its message do not use. */
export function returnUnusedSlots(job: Job): void {
  const unused = Math.min(job.recipientLimit - job.recipientCount, job.message.freeSlots)
  if (unused <= 0) return
  grant(job, -unused)
  passOn(job.transport)
}

/** The message is gone: all its slots are free. */
export function returnAllSlots(job: Job): void {
  grant(job, -job.recipientLimit)
  passOn(job.transport)
}

function passOn(transport: Transport): void {
  if (transport.freeSlots <= 0) return
  const [first] = transport.unreadJobs
  if (first !== undefined) takeFreeSlots(first)
}

function grant(job: Job, count: number): void {
  job.recipientLimit += count
  job.message.recipientLimit += count
  job.transport.freeSlots -= count
}
