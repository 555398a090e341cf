/**
 * entry - one delivery request that waits or runs: recipients of one message for one destination
 */
import type { Destination } from './destination.ts'
import type { Job } from './job.ts'
import type { Recipient } from '@posthorn/wire/attr-groups'
import type { ActiveMessage } from './message.ts'

export interface Entry {
  readonly message: ActiveMessage
  readonly job: Job
  readonly destination: Destination
  readonly recipients: Recipient[]
}

/** The entries of one job for one destination that were not selected yet, in the order of their creation. */
export interface Peer {
  readonly job: Job
  readonly destination: Destination
  readonly waiting: Entry[]
}
