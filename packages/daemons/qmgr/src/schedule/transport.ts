/**
 * transport - one delivery service of master.cf and what is queued for it
 *
 * Transports are never forgotten; destinations come and go with the mail for them.
 */
import type { Timer } from './clock.ts'
import type { Destination } from './destination.ts'
import type { Job } from './job.ts'
import { JobList } from './job-list.ts'
import type { Problem } from './problem.ts'
import { RecentTraffic } from './recent-traffic.ts'
import type { TransportSettings } from './transport-settings.ts'

export class Transport {
  readonly name: string
  readonly settings: TransportSettings
  readonly destinations = new Map<string, Destination>()
  /** Of destinations that are gone, and whose connections were to be kept. */
  readonly recentTraffic = new RecentTraffic()
  readonly jobs = new JobList()
  /** Listed jobs whose message has unread recipients, oldest first. */
  readonly unreadJobs = new Set<Job>()
  /** Where the search for work starts; undefined when there is none. */
  currentJob: Job | undefined
  /** Recipient slots that no job holds; negative after preempting jobs took extra ones. */
  freeSlots: number
  /** Agents that were called and did not announce themselves yet. */
  pendingCount = 0
  /** Entries that could be delivered now, over all destinations. */
  deliverableCount = 0
  /** Set while the transport is dead. */
  problem: Problem | undefined
  retryTimer: Timer | undefined
  /** A delivery is under way and transport_rate_delay allows no other. */
  isRateLocked = false
  /** Jobs and destinations with this tag are blocked; changing it unblocks them all. */
  blockerTag = 1
  /** The best job to preempt the current one, as long as that is known (preemption.ts). */
  candidate: { for: Job; job: Job | undefined; atSeconds: number } | undefined

  constructor(name: string, settings: TransportSettings) {
    this.name = name
    this.settings = settings
    this.freeSlots = settings.recipientLimit
  }

  /** The services that report what cannot be delivered; their own failures are never redirected. */
  get isReporting(): boolean {
    return this.name === 'error' || this.name === 'retry'
  }

  unblock(): void {
    this.blockerTag += 2
    this.currentJob = this.jobs.head
    this.candidate = undefined
  }
}
