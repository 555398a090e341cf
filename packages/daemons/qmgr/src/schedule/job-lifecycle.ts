/**
 * job-lifecycle - how jobs come into the list of their transport and leave it
 */
import { Job } from './job.ts'
import type { Entry } from './entry.ts'
import type { ActiveMessage } from './message.ts'
import { leaveStack } from './preemption.ts'
import { returnAllSlots, returnUnusedSlots, takeFreeSlots } from './recipient-slots.ts'
import type { Transport } from './transport.ts'

/** The job of the message for this transport; made when the message has none. */
export function jobFor(message: ActiveMessage, transport: Transport): Job {
  const known = message.jobs.get(transport)
  if (known !== undefined) return known
  const job = new Job(message, transport)
  message.jobs.set(transport, job)
  return job
}

/** The job has new entries: it takes part in scheduling (again). */
export function activateJob(job: Job): void {
  const { transport } = job
  transport.candidate = undefined
  if (job.isListed) {
    job.blockerTag = 0
    transport.currentJob = transport.jobs.head
    return
  }
  job.slotsAvailable = 0
  job.slotsUsed = 0
  transport.jobs.insertByAge(job)
  takeFreeSlots(job)
  if (job.message.unreadCount > 0) transport.unreadJobs.add(job)
  if (transport.currentJob === undefined || transport.currentJob === job.next) {
    transport.currentJob = job
  }
}

/** Takes the job off the list; it comes back when it gets entries again. */
export function retireJob(job: Job): void {
  if (!job.isListed) return
  const { transport } = job
  leaveStack(job)
  if (transport.currentJob === job) transport.currentJob = job.next
  transport.jobs.remove(job)
  transport.unreadJobs.delete(job)
  transport.candidate = undefined
  job.blockerTag = 0
  returnUnusedSlots(job)
}

/** The last recipient of the message is in memory: what it does not need is for others. */
export function messageWasRead(message: ActiveMessage): void {
  for (const job of message.jobs.values()) {
    job.transport.unreadJobs.delete(job)
    returnUnusedSlots(job)
  }
}

/** The entry is out of the scheduler: its recipients no longer count. */
export function forgetEntry(entry: Entry): void {
  const { job, message, recipients } = entry
  job.recipientCount -= recipients.length
  message.recipientCount -= recipients.length
  if (message.unreadCount === 0) returnUnusedSlots(job)
  if (job.isListed && job.isExhausted) retireJob(job)
}

export function forgetMessage(message: ActiveMessage): void {
  for (const job of message.jobs.values()) {
    retireJob(job)
    returnAllSlots(job)
  }
  message.jobs.clear()
}
