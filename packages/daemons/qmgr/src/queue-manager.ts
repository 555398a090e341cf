/**
 * queue-manager - brings messages from the queue to the delivery agents and out of the queue
 *
 *     trigger, timer ──▶ QueueFeed ──▶ load-message ──▶ resolve-recipients ──▶ Scheduler ──▶ call-agent
 *                                                                                 │
 *                            deferred/, corrupt/, removed ◀── complete-message ◀──┘
 *
 * One turn calls the agents that are wanted, then takes in new files for at most some milliseconds; turns follow
 * each other while there is anything to take in, with the event loop between them.
 *
 * Holds: at most qmgr_message_active_limit messages; recipients as recipient-slots.ts says; some 50 messages
 * whose recipients are being resolved.
 * Ends the process: a queue directory that cannot be worked on, an agent that hangs for daemon_timeout.
 * Source: Postfix 3.7 qmgr(8).
 */
import { splitAddress, splitExtension } from '@posthorn/address/split-address'
import type { DeliveryContext } from '@posthorn/delivery/delivery-context'
import type { FlowControl } from '@posthorn/daemon/flow-control'
import { fatal, log } from '@posthorn/log/log'
import { QueueFileCorruptError } from '@posthorn/queue/queue-error'
import { SpareFiles } from '@posthorn/queue/spare-files'
import { NOTIFY_FLAGS, type Recipient } from '@posthorn/wire/attr-groups'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { ChannelPool } from '@posthorn/wire/channel-pool'
import { callAgent } from './call-agent.ts'
import { completeMessage } from './complete-message.ts'
import type { QueueEntry } from './directory-scan.ts'
import { findReadyMode, loadMessage, loadMoreRecipients, saveCorrupt } from './load-message.ts'
import { deferRecipients, discardRecipient } from './own-delivery.ts'
import { QueueFeed, type FeedQueue, type ScanFlags } from './queue-feed.ts'
import { readTransportSettings, type QmgrSettings } from './qmgr-settings.ts'
import { resolveRecipients } from './resolve-recipients.ts'
import type { Clock } from './schedule/clock.ts'
import type { ActiveMessage } from './schedule/message.ts'
import { Scheduler } from './schedule/scheduler.ts'
import type { SchedulerHost } from './schedule/scheduler-host.ts'

/** A synchronous stretch of taking in files. */
const turnMs = 5
/** Messages whose recipients are being resolved. */
const resolvingLimit = 50

export class QueueManager {
  private readonly settings: QmgrSettings
  private readonly flowControl: FlowControl
  private readonly feed = new QueueFeed()
  private readonly scheduler: Scheduler
  private readonly rewrite: RewriteClient
  private readonly deliveryContext: DeliveryContext
  private readonly spares = new SpareFiles()
  private readonly agents = new ChannelPool()
  private isTurnDue = false
  private resolvingCount = 0
  private resolvingRecipientCount = 0
  private probeCount = 0

  constructor(
    settings: QmgrSettings,
    deliveryContext: DeliveryContext,
    flowControl: FlowControl,
    clock: Clock,
  ) {
    this.settings = settings
    this.flowControl = flowControl
    this.scheduler = new Scheduler(this.host(clock))
    this.deliveryContext = deliveryContext
    this.rewrite = new RewriteClient({
      path: settings.rewritePath,
      timeoutMs: settings.config.seconds('qmgr_ipc_timeout') * 1000,
      idleMs: settings.config.seconds('ipc_idle') * 1000,
      ttlMs: settings.config.seconds('ipc_ttl') * 1000,
    })
  }

  /** Octets of a trigger: W or I, D, A, F; others mean nothing. */
  trigger(octets: string): void {
    const queues: FeedQueue[] = []
    if (octets.includes('W') || octets.includes('I')) queues.push('incoming')
    if (octets.includes('D')) queues.push('deferred')
    const flushes = octets.includes('F')
    if (flushes) this.scheduler.reviveAll()
    this.scan(queues, {
      ignoresTimes: octets.includes('A'),
      ignoresDeferTransports: flushes,
    })
  }

  scan(queues: readonly FeedQueue[], flags?: ScanFlags): void {
    this.feed.request(queues, flags)
    this.wake()
  }

  private wake(): void {
    if (this.isTurnDue) return
    this.isTurnDue = true
    setImmediate(() => {
      this.isTurnDue = false
      this.turn()
    })
  }

  private turn(): void {
    this.scheduler.dispatch()
    if (!this.feed.isActive()) return
    this.fillFlowPipe(this.takeIn())
    if (this.feed.isActive() && this.hasRoom()) this.wake()
  }

  private get recipientCount(): number {
    return this.scheduler.recipientCount + this.resolvingRecipientCount
  }

  private hasRoom(): boolean {
    if (this.scheduler.messageCount >= this.settings.activeLimit) {
      this.feed.preferIncoming()
      return false
    }
    return this.resolvingCount < resolvingLimit
  }

  /** How many messages came from the incoming queue. */
  private takeIn(): number {
    let incomingCount = 0
    const untilMs = performance.now() + turnMs
    while (this.feed.isActive() && this.hasRoom() && performance.now() < untilMs) {
      const queue = this.feed.step((...file) => this.importFile(...file))
      if (queue === 'incoming') incomingCount += 1
    }
    return incomingCount
  }

  /** Lets cleanup(8) bring in as many messages as went out of the incoming queue. */
  private fillFlowPipe(incomingCount: number): void {
    const limit = this.settings.flowTokens
    if (limit === 0) return
    const tokens = this.flowControl.count()
    if (tokens < limit) {
      this.flowControl.put(this.feed.isScanningIncoming() ? incomingCount : limit - tokens)
    }
    for (let surplus = tokens - limit; surplus > 0; surplus -= 1) this.flowControl.take()
  }

  private importFile(queue: FeedQueue, entry: QueueEntry, flags: ScanFlags): boolean {
    const mode = findReadyMode(entry, flags.ignoresTimes)
    if (mode === undefined) return false
    const loaded = loadMessage(this.settings, queue, entry, mode, this.recipientCount)
    if (loaded === undefined) return false
    const { message, recipients } = loaded
    this.scheduler.messageCount += 1
    if (isProbe(message)) this.probeCount += 1
    this.place(message, recipients, flags.ignoresDeferTransports)
    return true
  }

  /** Resolves recipients and gives them to the scheduler; the message cannot be finished meanwhile. */
  private place(
    message: ActiveMessage,
    recipients: readonly Recipient[],
    ignoresDeferTransports: boolean,
  ): void {
    message.isReading = true
    this.scheduler.hold(message)
    this.resolvingCount += 1
    this.resolvingRecipientCount += recipients.length
    const work = async (): Promise<void> => {
      const resolutions = await resolveRecipients(message, recipients, {
        settings: this.settings,
        rewrite: this.rewrite,
        ignoresDeferTransports,
        probeCount: this.probeCount,
      })
      for (const found of resolutions) {
        if (found.kind !== 'discard') continue
        await discardRecipient(this.settings, this.deliveryContext, message, found.recipient)
      }
      const routes = resolutions.flatMap((found) => (found.kind === 'route' ? found.route : []))
      message.isReading = false
      this.scheduler.assign(message, routes)
      this.resolvingCount -= 1
      this.resolvingRecipientCount -= recipients.length
      this.scheduler.release(message)
    }
    work().catch(crash)
  }

  private readMore(message: ActiveMessage): void {
    message.isReading = true
    message.lastReadSeconds = Math.floor(Date.now() / 1000)
    try {
      const recipients = loadMoreRecipients(this.settings, message, 1)
      message.wantsSuccess ||= recipients.some(
        ({ notifyFlags }) => (notifyFlags & NOTIFY_FLAGS.success) !== 0,
      )
      this.place(message, recipients, false)
    } catch (error) {
      if (!(error instanceof QueueFileCorruptError)) throw error
      log.warning(`${message.id}: ${error.message}`)
      message.isReading = false
      message.unreadCount = 0
      message.isCorrupt = true
    }
  }

  private finished(message: ActiveMessage): void {
    const work = async (): Promise<void> => {
      if (message.isCorrupt) saveCorrupt(this.settings.layout, message.id)
      else if ((await completeMessage(this.settings, this.spares, message)) === 'readMore') {
        this.scheduler.hold(message)
        this.readMore(message)
        this.scheduler.release(message)
        return
      }
      this.forget(message)
    }
    work().catch(crash)
  }

  private forget(message: ActiveMessage): void {
    if (isProbe(message)) this.probeCount -= 1
    this.scheduler.forget(message)
    if (this.feed.isActive()) this.wake()
  }

  private host(clock: Clock): SchedulerHost {
    const { settings } = this
    return {
      clock,
      limits: settings.limits,
      settingsFor: (name) => readTransportSettings(settings, name),
      userOf: (address) => {
        const { local } = splitAddress(address)
        return splitExtension(local, settings.extensionRules)?.user ?? local
      },
      callAgent: async (transport) => callAgent(settings, this.agents, transport),
      readMore: (message) => {
        this.readMore(message)
      },
      finished: (message) => {
        this.finished(message)
      },
      deferDirectly: async (message, recipients, problem) =>
        deferRecipients(settings, this.deliveryContext, message, recipients, problem),
      wake: () => {
        this.wake()
      },
      info: (text) => {
        log.info(text)
      },
      warning: (text) => {
        log.warning(text)
      },
    }
  }
}

function isProbe(message: ActiveMessage): boolean {
  return (message.facts.envelope.traceFlags & DELIVERY_FLAGS.mtaVerify) !== 0
}

/** What fails here is the queue itself: master(8) starts a new queue manager, which begins anew. */
function crash(error: unknown): void {
  fatal(error instanceof Error ? error.message : String(error))
}
