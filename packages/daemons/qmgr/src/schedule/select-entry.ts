/**
 * select-entry - what an agent that is ready delivers next
 *
 * Source: Postfix 3.7 SCHEDULER_README.
 */
import type { Entry } from './entry.ts'
import type { Job } from './job.ts'
import { retireJob } from './job-lifecycle.ts'
import type { ActiveMessage } from './message.ts'
import { preempt } from './preemption.ts'
import type { Transport } from './transport.ts'

/**
 * Takes the next entry out of the transport's jobs.
 *
 * @param readMore told when the memory has room for more recipients of a message
 */
export function selectEntry(
  transport: Transport,
  nowSeconds: number,
  readMore: (message: ActiveMessage) => void,
): Entry | undefined {
  const current = transport.currentJob
  let job = current && preempt(current, nowSeconds)
  while (job !== undefined) {
    const { next } = job
    if (!job.isBlocked) {
      const entry = selectFrom(job, nowSeconds, readMore)
      if (entry !== undefined) return entry
    }
    job = next
  }
  transport.currentJob = undefined
  return undefined
}

function selectFrom(
  job: Job,
  nowSeconds: number,
  readMore: (message: ActiveMessage) => void,
): Entry | undefined {
  const { message, transport } = job
  const peer = job.findPeerWithRoom()
  if (isRefillDue(job, nowSeconds, peer !== undefined)) readMore(message)
  if (peer !== undefined) {
    const entry = job.takeFrom(peer)
    job.slotsAvailable += 1
    job.slotsUsed += 1
    transport.currentJob = job
    if (job.isExhausted) retireJob(job)
    return entry
  }
  if (job.waitingCount > 0) {
    job.blockerTag = transport.blockerTag
    for (const destination of job.peers.keys()) destination.markBlocked()
  } else if (!message.isReading) {
    retireJob(job)
  }
  return undefined
}

function isRefillDue(job: Job, nowSeconds: number, isDeliverable: boolean): boolean {
  const { message } = job
  const { refillLimit, refillDelaySeconds } = job.transport.settings
  if (message.unreadCount === 0 || message.entryCount === 0 || message.isReading) return false
  if (message.freeSlots >= refillLimit) return true
  if (message.freeSlots <= 0) return false
  return !isDeliverable || nowSeconds - message.lastReadSeconds >= refillDelaySeconds
}
