/**
 * job-list - the jobs of a transport in the order in which they are served
 *
 * A linked list through the jobs themselves: twenty thousand messages may stand in it, and each is inserted,
 * moved and removed in constant time.
 */
import type { Job } from './job.ts'

export class JobList {
  head: Job | undefined
  private tail: Job | undefined

  /** Inserts by age, oldest first. Jobs that preempt others stay in front of those, whatever their age. */
  insertByAge(job: Job): void {
    let before = this.tail
    while (
      before !== undefined &&
      (before.parent !== undefined ||
        before.message.facts.queuedSeconds > job.message.facts.queuedSeconds)
    ) {
      before = before.previous
    }
    this.link(job, before, before === undefined ? this.head : before.next)
  }

  moveBefore(job: Job, place: Job): void {
    this.remove(job)
    this.link(job, place.previous, place)
  }

  remove(job: Job): void {
    if (job.previous === undefined) this.head = job.next
    else job.previous.next = job.next
    if (job.next === undefined) this.tail = job.previous
    else job.next.previous = job.previous
    job.previous = undefined
    job.next = undefined
    job.isListed = false
  }

  private link(job: Job, before: Job | undefined, after: Job | undefined): void {
    job.previous = before
    job.next = after
    if (before === undefined) this.head = job
    else before.next = job
    if (after === undefined) this.tail = job
    else after.previous = job
    job.isListed = true
  }
}
