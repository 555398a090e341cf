/**
 * preemption - small messages overtake big ones
 *
 * The current job earns one slot for every slotCost deliveries. When the slots suffice for a younger job (with a
 * discount, and a loan for very small ones), that job goes first: the big message is slowed by at most 1/slotCost,
 * and the small one does not wait for thousands of recipients that are not its own.
 *
 * Source: Postfix 3.7 SCHEDULER_README, "How the job preemption works".
 */
import type { Job } from './job.ts'
import { takeExtraSlots } from './recipient-slots.ts'

/** The job that goes next: the current one, or one that preempts it. */
export function preempt(current: Job, nowSeconds: number): Job {
  const { transport } = current
  const { slotCost, slotLoan, slotDiscount, minimumSlots } = transport.settings
  if (slotCost < 2) return current
  if (current.slotsAvailable <= 0 || current.entryBound < minimumSlots * slotCost) return current
  const candidate = cachedCandidate(current, nowSeconds)
  if (candidate === undefined) return current
  const needed = candidate.entryBound - candidate.selectedCount
  const affordable = Math.trunc(current.slotsAvailable / slotCost) + slotLoan
  if (affordable < (needed * (100 - slotDiscount)) / 100) return current
  pushOnto(candidate, current, needed)
  transport.currentJob = candidate
  return candidate
}

/** Ends the job's preemption: settles the slots with the job below, and leaves it its own children. */
export function leaveStack(job: Job): void {
  const { parent } = job
  if (parent !== undefined) {
    parent.children.delete(job)
    // Slots reserved and not used come back; those used beyond the reservation are charged. An adopted job
    // (more than one level up) settled with a parent that is gone.
    if (job.level === parent.level + 1) {
      parent.slotsAvailable -= job.slotsUsed * job.transport.settings.slotCost
    }
  }
  for (const child of job.children) {
    child.parent = parent
    parent?.children.add(child)
  }
  job.children.clear()
  job.parent = undefined
  job.level = 0
  job.slotsUsed = 0
}

function pushOnto(job: Job, below: Job, needed: number): void {
  const { transport } = job
  if (job.parent !== undefined) leaveStack(job)
  transport.jobs.moveBefore(job, below)
  job.parent = below
  job.level = below.level + 1
  below.children.add(job)
  below.slotsAvailable -= needed * transport.settings.slotCost
  job.slotsUsed = -needed
  transport.candidate = undefined
  takeExtraSlots(job)
}

function cachedCandidate(current: Job, nowSeconds: number): Job | undefined {
  const { transport } = current
  const known = transport.candidate
  // A candidate found may be overtaken by another as time passes; that there is none stays true.
  if (known?.for === current && (known.job === undefined || known.atSeconds === nowSeconds)) {
    return known.job
  }
  const job = findCandidate(current, nowSeconds)
  transport.candidate = { for: current, job, atSeconds: nowSeconds }
  return job
}

function findCandidate(current: Job, nowSeconds: number): Job | undefined {
  const { slotCost } = current.transport.settings
  const mostNeeded = Math.trunc((current.waitingCount + current.slotsAvailable) / slotCost)
  if (mostNeeded <= 0) return undefined
  let best: Job | undefined
  let bestScore = 0
  for (let job = current.next; job !== undefined; job = job.next) {
    const delay = nowSeconds - job.message.facts.queuedSeconds + 1
    // The list is sorted by age, and no score exceeds the delay: those behind cannot be better.
    if (job.level === 0 && delay <= bestScore) break
    if (job.children.size > 0 || job.isBlocked) continue
    const needed = job.entryBound - job.selectedCount
    if (needed <= 0 || needed > mostNeeded) continue
    const score = delay / job.entryBound
    if (score > bestScore) {
      best = job
      bestScore = score
    }
  }
  return best
}
