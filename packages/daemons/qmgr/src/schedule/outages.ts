/**
 * outages - transports and destinations that get no deliveries for a while, and how they come back
 *
 * What waits for a dead one is handed to the retry service, whose log line then says why. While the retry
 * service is dead too, the queue manager defers the recipients itself.
 *
 * Source: Postfix 3.7 qmgr(8).
 */
import type { Destination } from './destination.ts'
import type { Problem } from './problem.ts'
import type { SchedulerHost } from './scheduler-host.ts'
import type { Transport } from './transport.ts'

export class Outages {
  private readonly host: SchedulerHost
  /** Finds another way for what waits for the destination. */
  private readonly redirect: (destination: Destination, problem: Problem) => void
  private readonly forgetIfIdle: (destination: Destination) => void

  constructor(
    host: SchedulerHost,
    redirect: (destination: Destination, problem: Problem) => void,
    forgetIfIdle: (destination: Destination) => void,
  ) {
    this.host = host
    this.redirect = redirect
    this.forgetIfIdle = forgetIfIdle
  }

  killTransport(transport: Transport, problem: Problem): void {
    transport.isRateLocked = false
    if (transport.problem === undefined) {
      transport.problem = problem
      transport.retryTimer = this.host.clock.after(this.host.limits.transportRetrySeconds, () => {
        this.reviveTransport(transport)
      })
    }
    for (const destination of transport.destinations.values()) {
      this.redirect(destination, problem)
    }
  }

  reviveTransport(transport: Transport): void {
    transport.isRateLocked = false
    if (transport.problem === undefined) return
    transport.retryTimer?.cancel()
    transport.problem = undefined
    this.host.wake()
  }

  /** A delivery could not reach the destination. */
  narrow(destination: Destination, problem: Problem): void {
    const { state, window } = destination
    if (state !== 'ready') return
    this.debug(destination, 'qmgr_queue_throttle', true)
    if (window.narrow() === 'dead') {
      destination.state = 'throttled'
      destination.loadsConnections = false
      destination.storesConnections = false
      destination.problem = {
        status: problem.status,
        reason: `delivery temporarily suspended: ${problem.reason}`,
      }
      destination.timer = this.host.clock.after(this.host.limits.minimalBackoffSeconds, () => {
        this.reviveDestination(destination)
        this.forgetIfIdle(destination)
      })
    }
    destination.changed()
    this.debug(destination, 'qmgr_queue_throttle', false)
    if (destination.problem !== undefined) this.redirect(destination, destination.problem)
  }

  /** A delivery was no worse than its recipients. `busy`: it ran beside so many, itself included. */
  widen(destination: Destination, busy: number): void {
    if (destination.state === 'throttled') {
      this.reviveDestination(destination)
      return
    }
    this.debug(destination, 'qmgr_queue_unthrottle', true)
    destination.window.widen(busy)
    destination.changed()
    this.debug(destination, 'qmgr_queue_unthrottle', false)
  }

  reviveDestination(destination: Destination): void {
    if (destination.state !== 'throttled') return
    destination.timer?.cancel()
    destination.timer = undefined
    destination.problem = undefined
    destination.state = 'ready'
    destination.window.restart(destination.busyCount)
    destination.changed()
    this.host.wake()
  }

  /** <transport>_destination_rate_delay: a pause after each delivery. */
  suspend(destination: Destination, seconds: number): void {
    this.reviveDestination(destination)
    if (destination.state !== 'ready') return
    destination.state = 'suspended'
    destination.changed()
    destination.timer = this.host.clock.after(seconds, () => {
      destination.timer = undefined
      destination.state = 'ready'
      destination.window.size = 1
      destination.changed()
      this.forgetIfIdle(destination)
      this.host.wake()
    })
  }

  private debug(destination: Destination, action: string, isBefore: boolean): void {
    const { transport, window } = destination
    if (!this.host.limits.debugsFeedback || transport.isReporting) return
    if (isBefore) {
      const { positive, negative } = window.settings
      const feedback = action === 'qmgr_queue_throttle' ? negative : positive
      const value = feedback.isPerConcurrency ? feedback.amount / window.size : feedback.amount
      this.host.info(`${action}: feedback ${shortest(value)}`)
      return
    }
    const size = destination.state === 'throttled' ? 0 : window.size
    this.host.info(
      `${action}: queue ${destination.name}: limit ${window.settings.limit} window ${size} ` +
        `success ${shortest(window.success)} failure ${shortest(window.failure)} ` +
        `fail_cohorts ${shortest(window.failedCohorts)}`,
    )
  }
}

function shortest(value: number): string {
  return Number(value.toPrecision(6)).toString()
}
