/**
 * scheduler-fixture - a world for the scheduler in which time is a number (for tests)
 *
 * Agents answer when and how the test says; nothing opens a file or a socket.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseQueueId } from '@posthorn/queue/queue-id'
import type { Envelope } from '@posthorn/queue/envelope'
import type { Recipient } from '@posthorn/wire/attr-groups'
import type { Clock, Timer } from './clock.ts'
import type { Entry } from './entry.ts'
import { ActiveMessage } from './message.ts'
import type { Problem } from './problem.ts'
import { Scheduler } from './scheduler.ts'
import type { DeliveryResult, SchedulerHost } from './scheduler-host.ts'
import type { TransportSettings } from './transport-settings.ts'

export class VirtualClock implements Clock {
  #nowMs = 1_800_000_000_000
  readonly #timers = new Set<{ atMs: number; expired: () => void }>()

  nowMs(): number {
    return this.#nowMs
  }

  nowSeconds(): number {
    return Math.floor(this.#nowMs / 1000)
  }

  after(seconds: number, expired: () => void): Timer {
    const timer = { atMs: this.#nowMs + seconds * 1000, expired }
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
      },
    }
  }

  advance(seconds: number): void {
    this.#nowMs += seconds * 1000
    for (const timer of [...this.#timers].sort((a, b) => a.atMs - b.atMs)) {
      if (timer.atMs > this.#nowMs || !this.#timers.delete(timer)) continue
      timer.expired()
    }
  }
}

export const usualSettings: TransportSettings = {
  window: {
    limit: 20,
    initial: 5,
    positive: { amount: 1, isPerConcurrency: false },
    negative: { amount: 1, isPerConcurrency: false },
    failedCohortLimit: 1,
  },
  recipientsPerRequest: 50,
  destinationRateDelaySeconds: 0,
  transportRateDelaySeconds: 0,
  slotCost: 5,
  slotLoan: 3,
  slotDiscount: 50,
  minimumSlots: 3,
  recipientLimit: 20000,
  extraRecipientLimit: 1000,
  refillLimit: 100,
  refillDelaySeconds: 5,
}

export const success: DeliveryResult = { kind: 'answered', status: 0, problem: undefined }

export function unreachable(reason: string): DeliveryResult {
  return { kind: 'answered', status: -1, problem: { status: '4.4.1', reason } }
}

/** A delivery that an agent works on until the test ends it. */
export interface Running {
  readonly entry: Entry
  end: (result: DeliveryResult) => void
}

export class Simulation {
  readonly clock = new VirtualClock()
  readonly scheduler: Scheduler
  readonly running: Running[] = []
  readonly finished: ActiveMessage[] = []
  readonly deferred: { message: ActiveMessage; address: string; problem: Problem }[] = []
  readonly lines: string[] = []
  readonly wantsMore: ActiveMessage[] = []
  /** Transports without a service. */
  readonly missing = new Set<string>()
  settings: Record<string, Partial<TransportSettings>> = {}
  limits = {
    activeMessages: 20000,
    recipients: 20000,
    minimalBackoffSeconds: 300,
    transportRetrySeconds: 60,
    clogWarnSeconds: 300,
    debugsFeedback: false,
  }
  unusedAgents = 0
  #wakes = 0
  #messageCount = 0

  constructor(settings: Record<string, Partial<TransportSettings>> = {}) {
    this.settings = settings
    this.scheduler = new Scheduler(this.#host())
  }

  message(unreadCount = 0, verpDelimiters = ''): ActiveMessage {
    this.#messageCount += 1
    const message = new ActiveMessage(
      parseQueueId(`M${this.#messageCount}`),
      {
        // the scheduler does not look into it
        envelope: {} as Envelope,
        activeMs: this.clock.nowMs(),
        queuedSeconds: this.clock.nowSeconds(),
        isForceExpired: false,
        unthrottles: false,
        verpDelimiters,
      },
      10,
    )
    message.unreadCount = unreadCount
    this.scheduler.messageCount += 1
    return message
  }

  /** Assigns `transport:nexthop` recipients as if they had been read and resolved now. */
  assign(message: ActiveMessage, addresses: readonly string[], transport = 'smtp'): void {
    this.scheduler.hold(message)
    this.scheduler.assign(
      message,
      addresses.map((address, index) => ({
        recipient: recipient(address, index + 1),
        transport,
        nexthop: address.slice(address.indexOf('@') + 1),
      })),
    )
    this.scheduler.release(message)
  }

  send(addresses: readonly string[], transport = 'smtp'): ActiveMessage {
    const message = this.message()
    this.assign(message, addresses, transport)
    return message
  }

  /** One delivery request for each address. */
  sendEach(addresses: readonly string[]): ActiveMessage {
    const message = this.message(0, '+=')
    this.assign(message, addresses)
    return message
  }

  /** Lets everything happen that can happen without time passing or an agent answering. */
  async settle(): Promise<void> {
    let before: number
    do {
      before = this.#wakes
      this.scheduler.dispatch()
      await nextTurn()
    } while (this.#wakes > before)
  }

  /** Ends the oldest running delivery and lets its consequences happen. */
  async end(result: DeliveryResult = success): Promise<Entry> {
    const first = this.running.shift()
    if (first === undefined) throw new Error('Cannot end a delivery: none is running')
    first.end(result)
    await this.settle()
    return first.entry
  }

  /** Lets all deliveries succeed, oldest first. */
  async drain(): Promise<string[]> {
    const order: string[] = []
    await this.settle()
    while (this.running.length > 0) order.push((await this.end()).message.id)
    return order
  }

  #host(): SchedulerHost {
    return {
      clock: this.clock,
      limits: this.limits,
      settingsFor: (name) => ({ ...usualSettings, ...this.settings[name] }),
      userOf: (address) => address.replace(/@.*/, '').replace(/\+.*/, ''),
      callAgent: async (transport) => {
        if (this.missing.has(transport)) return Promise.resolve(undefined)
        return Promise.resolve({
          deliver: async (entry: Entry) =>
            new Promise<DeliveryResult>((resolve) => {
              this.running.push({ entry, end: resolve })
            }),
          close: () => {
            this.unusedAgents += 1
          },
        })
      },
      readMore: (message) => {
        message.isReading = true
        this.wantsMore.push(message)
      },
      finished: (message) => {
        this.finished.push(message)
        this.scheduler.forget(message)
      },
      deferDirectly: async (message, recipients, problem) => {
        for (const { recipient: address } of recipients) {
          this.deferred.push({ message, address, problem })
        }
        return Promise.resolve()
      },
      wake: () => {
        this.#wakes += 1
      },
      info: (text) => {
        this.lines.push(text)
      },
      warning: (text) => {
        this.lines.push(`warning: ${text}`)
      },
    }
  }
}

export function recipient(address: string, offset: number): Recipient {
  return {
    recipient: address,
    originalRecipient: address,
    dsnOriginalRecipient: '',
    notifyFlags: 0,
    offset,
  }
}

export function addresses(count: number, domain: string): string[] {
  return Array.from({ length: count }, (_, index) => `u${index}@${domain}`)
}
