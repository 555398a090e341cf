/**
 * scheduler-host - what the scheduler asks of the world
 *
 * The scheduler is plain computation on data in memory. Agents, files, the clock and the log are behind this
 * interface: main.ts gives it the real ones, tests give it their own.
 */
import type { Clock } from './clock.ts'
import type { Entry } from './entry.ts'
import type { Recipient } from '@posthorn/wire/attr-groups'
import type { ActiveMessage } from './message.ts'
import type { Problem } from './problem.ts'
import type { TransportSettings } from './transport-settings.ts'

export type DeliveryResult =
  /** The agent answered. Status 0: nothing is left to do; `problem` is about the destination as a whole. */
  | { readonly kind: 'answered'; readonly status: number; readonly problem: Problem | undefined }
  /** The agent went away, or its answer made no sense. */
  | { readonly kind: 'broken' }
  /** The request did not get out. */
  | { readonly kind: 'unsent' }

/** An agent that has announced itself and waits for a request. */
export interface ReadyAgent {
  deliver: (entry: Entry) => Promise<DeliveryResult>
  /** There is nothing to deliver after all. */
  close: () => void
}

export interface SchedulerLimits {
  readonly activeMessages: number
  readonly recipients: number
  readonly minimalBackoffSeconds: number
  readonly transportRetrySeconds: number
  /** 0 = no warnings. */
  readonly clogWarnSeconds: number
  readonly debugsFeedback: boolean
}

export interface SchedulerHost {
  readonly clock: Clock
  readonly limits: SchedulerLimits
  settingsFor: (transportName: string) => TransportSettings
  /** The local part of an address without its extension. */
  userOf: (address: string) => string
  /** Calls a delivery agent; undefined when there is none (already logged). */
  callAgent: (transportName: string) => Promise<ReadyAgent | undefined>
  /** Reads more recipients of the message; ends with assign() and release(). */
  readMore: (message: ActiveMessage) => void
  /** Nothing of the message is outstanding in memory. */
  finished: (message: ActiveMessage) => void
  /** Logs and records recipients that not even the retry service can take. */
  deferDirectly: (
    message: ActiveMessage,
    recipients: readonly Recipient[],
    problem: Problem,
  ) => Promise<void>
  /** Something changed: dispatch() should run soon. */
  wake: () => void
  info: (text: string) => void
  warning: (text: string) => void
}
