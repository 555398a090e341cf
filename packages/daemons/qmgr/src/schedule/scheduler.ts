/**
 * scheduler - which message goes to which delivery agent, and when
 *
 *     Transport ─┬─ Destination (window) ◀── Peer ──▶ Job ─── ActiveMessage
 *                └─ Job list                  └─ Entry, Entry, ...
 *
 * An agent is called when a transport has work; what it gets is decided when it has announced itself. Everything
 * here happens in memory; the world is behind SchedulerHost.
 *
 * Limits: messages and recipients in memory are bounded by whoever assigns them (import-message.ts).
 * Source: Postfix 3.7 qmgr(8), SCHEDULER_README.
 */
import { foldCase } from '@posthorn/address/split-address'
import { ClogWarning } from './clog-warning.ts'
import { Destination } from './destination.ts'
import type { Entry } from './entry.ts'
import { activateJob, forgetEntry, forgetMessage, jobFor, messageWasRead } from './job-lifecycle.ts'
import type { Recipient } from '@posthorn/wire/attr-groups'
import type { ActiveMessage } from './message.ts'
import { Outages } from './outages.ts'
import { type Problem, problemNexthop, sanitizeProblem } from './problem.ts'
import type { DeliveryResult, ReadyAgent, SchedulerHost } from './scheduler-host.ts'
import { selectEntry } from './select-entry.ts'
import { compareRecipients } from './sort-recipients.ts'
import { Transport } from './transport.ts'

/** Agents per transport that may be called without having answered (Postfix 3.7 qmgr(8)). */
const pendingAgentLimit = 2

const transportUnavailable: Problem = { status: '4.3.0', reason: 'mail transport unavailable' }

/** Where a recipient should go; the destination name is the key of its queue. */
export interface Route {
  readonly recipient: Recipient
  readonly transport: string
  readonly nexthop: string
}

interface Placement {
  readonly recipient: Recipient
  readonly transport: Transport
  readonly name: string
  readonly nexthop: string
}

export class Scheduler {
  private readonly host: SchedulerHost
  private readonly transports = new Map<string, Transport>()
  /** Round-robin order of service. */
  private readonly turn: Transport[] = []
  private readonly outages: Outages
  private readonly clogWarning: ClogWarning
  /** Deliveries in progress when this turn's first result came, by destination. */
  private readonly busyAtTurn = new Map<Destination, number>()
  private destinationCount = 0
  /** Messages in memory, those that are being imported included. */
  messageCount = 0
  /** Recipients in entries that wait or run. */
  recipientCount = 0

  constructor(host: SchedulerHost) {
    this.host = host
    this.clogWarning = new ClogWarning(host)
    this.outages = new Outages(
      host,
      (destination, problem) => {
        this.redirectWaiting(destination, problem)
      },
      (destination) => {
        this.forgetIfIdle(destination)
      },
    )
  }

  transport(name: string): Transport {
    const known = this.transports.get(name)
    if (known !== undefined) return known
    const transport = new Transport(name, this.host.settingsFor(name))
    this.transports.set(name, transport)
    this.turn.unshift(transport)
    return transport
  }

  /** Keeps the message from finishing until release(). */
  hold(message: ActiveMessage): void {
    message.entryCount += 1
  }

  release(message: ActiveMessage): void {
    message.entryCount -= 1
    if (message.entryCount === 0) this.host.finished(message)
  }

  /** Accepts recipients that were read and resolved. The message must be held. */
  assign(message: ActiveMessage, routes: readonly Route[]): void {
    const placements = routes.flatMap((route) => this.place(message, route) ?? [])
    if (placements.length > 1) placements.sort(comparePlacements)
    this.recipientCount += placements.length
    for (const { recipient, transport, name, nexthop } of placements) {
      const destination = this.destination(transport, name, nexthop)
      const job = jobFor(message, transport)
      if (job.addRecipient(destination, recipient) === undefined) continue
      destination.changed()
      this.clogWarning.check(destination, this.messageCount)
      activateJob(job)
    }
    if (message.unreadCount === 0) messageWasRead(message)
    this.host.wake()
  }

  /** Calls agents for all transports that have work for one. */
  dispatch(): void {
    this.busyAtTurn.clear()
    for (;;) {
      const index = this.turn.findIndex(isEligible)
      const transport = this.turn[index]
      if (transport === undefined) return
      this.turn.splice(index, 1)
      this.turn.push(transport)
      transport.pendingCount += 1
      if (transport.settings.transportRateDelaySeconds > 0) transport.isRateLocked = true
      this.host.callAgent(transport.name).then(
        (agent) => {
          this.agentAnswered(transport, agent)
        },
        () => {
          this.agentAnswered(transport, undefined)
        },
      )
    }
  }

  /** Forgets all dead transports and destinations. */
  reviveAll(): void {
    for (const transport of this.transports.values()) {
      this.outages.reviveTransport(transport)
      for (const destination of transport.destinations.values()) {
        this.outages.reviveDestination(destination)
        this.forgetIfIdle(destination)
      }
    }
  }

  /** The message left the active queue. */
  forget(message: ActiveMessage): void {
    forgetMessage(message)
    this.messageCount -= 1
  }

  private agentAnswered(transport: Transport, agent: ReadyAgent | undefined): void {
    transport.pendingCount -= 1
    if (agent === undefined) {
      this.outages.killTransport(transport, transportUnavailable)
      this.host.wake()
      return
    }
    const delay = transport.settings.transportRateDelaySeconds
    if (delay === 0) this.handOver(transport, agent)
    else
      this.host.clock.after(delay, () => {
        this.handOver(transport, agent)
      })
  }

  private handOver(transport: Transport, agent: ReadyAgent): void {
    const now = this.host.clock.nowSeconds()
    const entry = selectEntry(transport, now, (message) => {
      this.host.readMore(message)
    })
    this.host.wake()
    if (entry === undefined) {
      transport.isRateLocked = false
      agent.close()
      return
    }
    const { destination } = entry
    destination.busyCount += 1
    destination.changed()
    destination.updateConnectionCaching(now)
    agent.deliver(entry).then(
      (result) => {
        this.delivered(entry, result)
      },
      () => {
        this.delivered(entry, { kind: 'broken' })
      },
    )
  }

  private delivered(entry: Entry, result: DeliveryResult): void {
    const { destination, message } = entry
    const { transport } = destination
    if (result.kind === 'answered') {
      this.outages.reviveTransport(transport)
      if (result.status !== 0) message.isDeferred = true
      if (result.problem === undefined) this.outages.widen(destination, this.busyWith(destination))
      else if (result.status !== 0) {
        this.outages.narrow(destination, sanitizeProblem(result.problem))
      }
    } else if (result.kind === 'broken') {
      transport.isRateLocked = false
      message.isDeferred = true
    }
    destination.busyCount -= 1
    destination.lastCompletionSeconds = this.host.clock.nowSeconds()
    const delay = transport.settings.destinationRateDelaySeconds
    if (delay > 0) this.outages.suspend(destination, delay)
    destination.changed()
    if (result.kind === 'unsent') {
      this.outages.killTransport(transport, transportUnavailable)
      this.redirect(entry, transportUnavailable)
    }
    this.end(entry)
    this.forgetIfIdle(destination)
    this.host.wake()
  }

  /**
   * Deliveries that this result ran beside, itself included. Results that come at once, as those of an agent that serves many
   * connections do, ran beside each other: those after the first must not look like ones of a destination with little to do.
   */
  private busyWith(destination: Destination): number {
    const busy = Math.max(this.busyAtTurn.get(destination) ?? 0, destination.busyCount)
    this.busyAtTurn.set(destination, busy)
    return busy
  }

  private end(entry: Entry): void {
    this.recipientCount -= entry.recipients.length
    forgetEntry(entry)
    this.release(entry.message)
  }

  private redirectWaiting(destination: Destination, problem: Problem): void {
    for (const entry of destination.takeWaiting()) {
      this.redirect(entry, problem)
      this.end(entry)
    }
    this.forgetIfIdle(destination)
  }

  private redirect(entry: Entry, problem: Problem): void {
    const nexthop = problemNexthop(problem)
    this.assign(
      entry.message,
      entry.recipients.map((recipient) => ({ recipient, transport: 'retry', nexthop })),
    )
  }

  /** Finds the queue for a recipient, or the way around a dead one. */
  private place(message: ActiveMessage, route: Route): Placement | undefined {
    const transport = this.transport(route.transport)
    if (message.facts.unthrottles) this.outages.reviveTransport(transport)
    if (transport.problem !== undefined) return this.divert(message, route, transport.problem)
    const name = this.destinationName(transport, route)
    const destination = transport.destinations.get(name)
    if (destination !== undefined) {
      if (message.facts.unthrottles) this.outages.reviveDestination(destination)
      if (destination.problem !== undefined) {
        return this.divert(message, route, destination.problem)
      }
    }
    return { recipient: route.recipient, transport, name, nexthop: route.nexthop }
  }

  private divert(message: ActiveMessage, route: Route, problem: Problem): Placement | undefined {
    if (route.transport !== 'retry') {
      const nexthop = problemNexthop(problem)
      return this.place(message, { recipient: route.recipient, transport: 'retry', nexthop })
    }
    // The reason that stands in the next-hop says more than that the retry service is dead.
    const [status = problem.status, ...reason] = route.nexthop.split(' ')
    this.hold(message)
    message.isDeferred = true
    const done = (): void => {
      this.release(message)
    }
    const why = sanitizeProblem({ status, reason: reason.join(' ') })
    this.host.deferDirectly(message, [route.recipient], why).then(done, done)
    return undefined
  }

  /** One-recipient transports have a queue for each recipient, so that concurrency is per recipient. */
  private destinationName(transport: Transport, { recipient, nexthop }: Route): string {
    const isPerRecipient = transport.settings.recipientsPerRequest === 1 && !transport.isReporting
    const name = isPerRecipient ? `${this.host.userOf(recipient.recipient)}@${nexthop}` : nexthop
    return foldCase(name)
  }

  private destination(transport: Transport, name: string, nexthop: string): Destination {
    const known = transport.destinations.get(name)
    if (known !== undefined) return known
    const destination = new Destination(transport, name, nexthop)
    destination.lastCompletionSeconds = transport.recentTraffic.take(name)
    transport.destinations.set(name, destination)
    this.destinationCount += 1
    return destination
  }

  private forgetIfIdle(destination: Destination): void {
    const { transport, name, state } = destination
    if (destination.entryCount > 0 || transport.destinations.get(name) !== destination) return
    const isCrowded = this.destinationCount > 2 * this.host.limits.recipients
    if (state !== 'ready' && !(state === 'throttled' && isCrowded)) return
    destination.timer?.cancel()
    transport.destinations.delete(name)
    if (destination.storesConnections) {
      transport.recentTraffic.remember(name, destination.lastCompletionSeconds)
    }
    this.destinationCount -= 1
  }
}

function isEligible(transport: Transport): boolean {
  return (
    transport.deliverableCount > transport.pendingCount &&
    transport.pendingCount < pendingAgentLimit &&
    transport.problem === undefined &&
    !transport.isRateLocked
  )
}

function comparePlacements(a: Placement, b: Placement): number {
  if (a.transport !== b.transport) return a.transport.name < b.transport.name ? -1 : 1
  if (a.name !== b.name) return a.name < b.name ? -1 : 1
  return compareRecipients(a.recipient, b.recipient)
}
