/**
 * delivery-job - one delivery request while an agent works on it
 *
 * The agent reports the fate of each recipient once, in any order: sent, deferred or bounced. The job writes the
 * status line and the bounce, defer, trace or verify record, and marks in the queue file who needs nothing more.
 * A recipient is marked only after the record that speaks for it is safe; when a record cannot be made, the
 * recipient is deferred. Recipients that were not reported stay as they are, and the request is unfinished.
 *
 *   sent     trace record when asked for    failed: deferred     marked
 *   bounced  bounce record (+ trace)        failed: deferred     marked
 *   deferred defer record (+ trace), flush  failed: warning      not marked
 *   probe    verify or trace record         failed: deferred     marked
 *
 * Source: Postfix 3.7 delivery agents.
 */
import { log } from '@posthorn/log/log'
import type { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { NOTIFY_FLAGS } from '@posthorn/wire/attr-groups'
import {
  DELIVERY_FLAGS,
  traceFlags,
  type DeliveryRequest,
  type Recipient,
} from '@posthorn/wire/delivery-request'
import { RECIPIENT_STATUS } from '@posthorn/wire/verify-protocol'
import type { DeliveryContext } from './delivery-context.ts'
import { toDsnFields, withClass, type RelayedStatus } from './delivery-status.ts'
import { softened } from './status-filter.ts'
import { formatStatusLine } from './status-line.ts'

const { mtaVerify, userVerify, record, recordDelay } = DELIVERY_FLAGS

/** Times of stages that the agent knows; 0 or absent: not reached. See MessageStats. */
export interface StageTimes {
  agentMs: number
  connectedMs?: number
  deliveredMs?: number
  reuseCount?: number
}

export class DeliveryJob {
  readonly request: DeliveryRequest
  readonly recipients: readonly Recipient[]
  /** Open and locked (shared); closed when the job is over. */
  readonly file: OpenQueueFile
  /** Set by the agent as it gets on; used in status lines. */
  times: StageTimes
  readonly #context: DeliveryContext
  readonly #flushedDomains = new Set<string>()
  #finishedCount = 0

  constructor(
    context: DeliveryContext,
    request: DeliveryRequest,
    recipients: readonly Recipient[],
    file: OpenQueueFile,
  ) {
    this.#context = context
    this.request = request
    this.recipients = recipients
    this.file = file
    this.times = { agentMs: Date.now() }
  }

  get isSoftBounce(): boolean {
    return this.#context.isSoftBounce
  }

  /** Every recipient was delivered or bounced: the `status` of the final reply. */
  get isFinished(): boolean {
    return this.#finishedCount === this.recipients.length
  }

  /** How many recipients were delivered or bounced. */
  get finishedCount(): number {
    return this.#finishedCount
  }

  /** A probe of verify(8) or `sendmail -bv`: find out, do not deliver. */
  get isProbe(): boolean {
    return (this.request.flags & (mtaVerify | userVerify)) !== 0
  }

  /**
   * A job of the same message for what one of its recipients comes to (aliases). Its recipients are reported as usual,
   * and not marked in the queue file: the one that they stand for is, by completed() of this job.
   */
  expansion(recipients: readonly Recipient[]): DeliveryJob {
    const unmarked = recipients.map((recipient) => ({ ...recipient, offset: -1 }))
    return new DeliveryJob(this.#context, this.request, unmarked, this.file)
  }

  /** For a sender who wants to know of success: what became of the recipient, without a line in the log. */
  async trace(recipient: Recipient, status: RelayedStatus, action: string): Promise<boolean> {
    return this.#trace(recipient, status, action)
  }

  /** All that the recipient comes to was delivered or bounced, and reported. */
  completed(recipient: Recipient): void {
    this.#finish(recipient)
  }

  /** The next hop took responsibility, or, for a probe, would have. */
  async sent(recipient: Recipient, given: RelayedStatus): Promise<void> {
    const status = withClass(await this.#filtered(given), '2', 'sent')
    if (this.isProbe) {
      await this.#probed(recipient, status, 'deliverable', RECIPIENT_STATUS.ok)
      return
    }
    const { flags } = this.request
    const wantsTrace =
      (flags & (record | recordDelay)) !== 0 || (recipient.notifyFlags & NOTIFY_FLAGS.success) !== 0
    if (wantsTrace && !(await this.#trace(recipient, status, status.action ?? 'delivered'))) {
      const reason = `${this.request.queueId}: trace service failed`
      await this.#defer(recipient, { ...status, dsn: '4.3.0', reason })
      return
    }
    this.#log(recipient, status, 'sent')
    this.#finish(recipient)
  }

  /** Try again later. The status filter may decide that there is no point (class 5). */
  async deferred(recipient: Recipient, given: RelayedStatus): Promise<void> {
    await this.#failed(recipient, withClass(given, '4', 'defer_append'))
  }

  /** Never. With soft_bounce, and when the bounce cannot be recorded: try again later. */
  async bounced(recipient: Recipient, given: RelayedStatus): Promise<void> {
    await this.#failed(recipient, withClass(given, '5', 'bounce_append'))
  }

  /** deferred() or bounced() as the class of the DSN says; what is neither is deferred. */
  async failed(recipient: Recipient, given: RelayedStatus): Promise<void> {
    if (given.dsn.startsWith('5')) await this.bounced(recipient, given)
    else await this.deferred(recipient, given)
  }

  async #failed(recipient: Recipient, given: RelayedStatus): Promise<void> {
    const status = await this.#filtered(given)
    if (this.isProbe) {
      const isHard = status.dsn.startsWith('5')
      const found = isHard ? RECIPIENT_STATUS.bounced : RECIPIENT_STATUS.deferred
      await this.#probed(recipient, status, 'undeliverable', found)
    } else if (status.dsn.startsWith('5')) await this.#bounce(recipient, status)
    else await this.#defer(recipient, status)
  }

  async #bounce(recipient: Recipient, status: RelayedStatus): Promise<void> {
    const { queueId } = this.request
    if (this.#context.isSoftBounce) {
      const soft = softened(status)
      if (!(await this.#append('defer', recipient, soft, 'delayed'))) {
        log.warning(`${queueId}: defer service failure`)
      }
      this.#log(recipient, soft, 'SOFTBOUNCE')
      return
    }
    const isTraced = (this.request.flags & record) !== 0
    const isRecorded =
      (await this.#append('bounce', recipient, status, status.action ?? 'failed')) &&
      (!isTraced || (await this.#trace(recipient, status, 'failed')))
    if (isRecorded) {
      this.#log(recipient, status, 'bounced')
      this.#finish(recipient)
      return
    }
    const { relay } = status
    await this.#defer(recipient, {
      dsn: '4.3.0',
      reason: 'bounce or trace service failure',
      relay,
    })
  }

  async #defer(recipient: Recipient, status: RelayedStatus): Promise<void> {
    const { queueId, flags } = this.request
    const isRecorded = await this.#append('defer', recipient, status, status.action ?? 'delayed')
    if (!isRecorded) log.warning(`${queueId}: defer service failure`)
    if ((flags & record) !== 0) await this.#trace(recipient, status, 'delayed')
    this.#log(recipient, status, 'deferred')
    const domain = recipient.recipient.slice(recipient.recipient.lastIndexOf('@') + 1)
    if (this.#flushedDomains.has(domain)) return
    this.#flushedDomains.add(domain)
    if (await this.#context.isFlushDomain(domain)) {
      await this.#context.records.addToFlush(domain, queueId)
    }
  }

  async #probed(
    recipient: Recipient,
    status: RelayedStatus,
    action: string,
    found: number,
  ): Promise<void> {
    const { queueId, flags } = this.request
    let outcome = action
    if ((flags & userVerify) !== 0) {
      if (!(await this.#trace(recipient, status, action))) {
        const reason = `${queueId}: trace service failed`
        await this.#defer(recipient, { ...status, dsn: '4.3.0', reason })
        return
      }
    } else if (found !== RECIPIENT_STATUS.ok && !this.#context.cachesNegativeProbes) {
      outcome = 'undeliverable-but-not-cached'
    } else {
      const address = recipient.originalRecipient || recipient.recipient
      if (!(await this.#context.records.updateVerify(address, found, status.reason))) {
        log.warning(`${queueId}: verify service failure`)
        return
      }
    }
    this.#log(recipient, status, outcome)
    this.#finish(recipient)
  }

  async #append(
    service: 'bounce' | 'defer',
    recipient: Recipient,
    status: RelayedStatus,
    action: string,
  ): Promise<boolean> {
    const { flags, queueId } = this.request
    const dsn = toDsnFields(status, action)
    return this.#context.records.append(service, flags & traceFlags, queueId, recipient, dsn)
  }

  async #trace(recipient: Recipient, status: RelayedStatus, action: string): Promise<boolean> {
    const { flags, queueId } = this.request
    const via = status.relay === 'none' ? '' : `delivery via ${status.relay}: `
    const dsn = toDsnFields({ ...status, reason: via + status.reason }, action)
    return this.#context.records.append('trace', flags & traceFlags, queueId, recipient, dsn)
  }

  async #filtered(status: RelayedStatus): Promise<RelayedStatus> {
    return this.#context.statusFilter === undefined
      ? status
      : this.#context.statusFilter.apply(status)
  }

  #log(recipient: Recipient, status: RelayedStatus, outcome: string): void {
    const stats = { ...this.request.stats, ...this.times }
    const { lineFormat } = this.#context
    const { queueId } = this.request
    log.info(formatStatusLine(lineFormat, queueId, recipient, status, stats, outcome, Date.now()))
  }

  #finish(recipient: Recipient): void {
    this.#finishedCount += 1
    if ((this.request.flags & DELIVERY_FLAGS.success) === 0 || recipient.offset < 0) return
    this.file.markDone(recipient.offset)
  }
}
