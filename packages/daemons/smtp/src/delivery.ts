/**
 * delivery - one request on its way through hosts and sessions
 *
 * Decides what a failure means: while there is another host to try, soft failures keep the
 * recipients for it; at the last one, and for hard failures anywhere, they are deferred or bounced.
 *
 *   recipient  unmarked --> kept     another host is tried; unmarked again in the next session
 *                       --> dropped  sent, deferred or bounced, and logged
 *
 * Source: Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import {
  toDsnFields,
  type DeliveryStatus,
  type RelayedStatus,
} from '@posthorn/delivery/delivery-status'
import { passOn } from '@posthorn/delivery/pass-on'
import { errorReason } from '@posthorn/native/system-error'
import { NOTIFY_FLAGS } from '@posthorn/wire/attr-groups'
import type { HopStatus, Recipient } from '@posthorn/wire/delivery-request'
import { isHard, localFailure, type Failure } from './failure.ts'
import type { Session } from './session.ts'
import { tlsStatus } from './tls-status.ts'

export class Delivery {
  readonly job: DeliveryJob
  /** No other host follows: every failure is final. */
  isFinalServer = false
  /** The session in progress: `relay=` of what is logged. */
  session: Session | undefined
  #lastFailure: Failure | undefined
  /** Failures of servers that do not give what the message asks for. */
  readonly #unsuitable = new Set<Failure>()
  /** Something failed that another attempt may mend. */
  #hadTrouble = false
  /** For the queue manager: the destination is out of reach. */
  hopStatus: HopStatus | undefined
  /** A session of this request took its normal course: the destination is in reach. */
  hasCompletedSession = false
  /** A line was broken, and that was logged. */
  hasLoggedBrokenLine = false
  #left: readonly Recipient[]
  readonly #kept = new Set<Recipient>()
  readonly #dropped = new Set<Recipient>()
  readonly #logsTls: boolean

  /** `logsTls`: smtp_log_tls_feature_status */
  constructor(job: DeliveryJob, logsTls = false) {
    this.job = job
    this.#logsTls = logsTls
    this.#left = job.recipients
  }

  /** For recipients that are left after the last host. */
  get lastFailure(): Failure | undefined {
    return this.#lastFailure
  }

  set lastFailure(failure: Failure | undefined) {
    this.#lastFailure = failure
    if (failure === undefined || !this.#unsuitable.has(failure)) this.#hadTrouble = true
  }

  /** Servers were found, and none of them gives what the message asks for. */
  get isUnsuitable(): boolean {
    return this.#lastFailure !== undefined && !this.#hadTrouble
  }

  get queueId(): string {
    return this.job.request.queueId
  }

  /** Those to try in the next session; unchanged during one. */
  get recipientsLeft(): readonly Recipient[] {
    return this.#left
  }

  /** Without a fate in this session so far. */
  unmarked(): readonly Recipient[] {
    return this.#left.filter((one) => !this.#kept.has(one) && !this.#dropped.has(one))
  }

  /** The dialogue has come to MAIL FROM. */
  markConnected(): void {
    this.job.times.connectedMs = Date.now()
    this.job.times.reuseCount = this.session?.reuseCount ?? 0
  }

  markDelivered(): void {
    this.job.times.deliveredMs = Date.now()
  }

  /**
   * The server took responsibility, or a probe found out what it wanted. `serverReports`: a report of success that
   * the sender asked for is the server's business now (RFC 3461 5.2.2).
   */
  async sent(recipient: Recipient, status: DeliveryStatus, serverReports = false): Promise<void> {
    this.#dropped.add(recipient)
    const notifyFlags = recipient.notifyFlags & ~(serverReports ? NOTIFY_FLAGS.success : 0)
    await this.job.sent({ ...recipient, notifyFlags }, { ...status, ...this.#via() })
  }

  /** A server refused this recipient. */
  async failRecipient(recipient: Recipient, failure: Failure): Promise<void> {
    this.lastFailure = failure
    if (this.#canTryNext(failure)) {
      log.info(`${this.queueId}: ${failure.reason}`)
      this.#kept.add(recipient)
    } else await this.#drop(recipient, failure)
  }

  /** What is wrong is the message, or what the server thinks of it: the other recipients share the fate. */
  async failMessage(failure: Failure): Promise<void> {
    await this.#failUnmarked(failure)
  }

  /**
   * This server does not give what the message asks for (REQUIRETLS). The next one may; the message is returned when there
   * is none, and nothing else was in the way.
   */
  async failUnsuitable(reason: string): Promise<void> {
    const isHopeless = this.isFinalServer && !this.#hadTrouble
    await this.#failUnmarked(this.#unsuitableFailure(isHopeless ? '5.7.30' : '4.7.30', reason))
  }

  /** The same, before there was a session. */
  skipUnsuitable(reason: string): void {
    log.info(`${this.queueId}: ${reason}`)
    this.lastFailure = this.#unsuitableFailure('4.7.30', reason)
  }

  /** RFC 8689 7: REQUIRETLS support required. */
  #unsuitableFailure(dsn: string, reason: string): Failure {
    const failure = localFailure(dsn, reason)
    this.#unsuitable.add(failure)
    return failure
  }

  /** What is wrong is the server, or the way to it. */
  async failSite(failure: Failure): Promise<void> {
    if (this.session?.tlsContext !== undefined && this.session.isBroken) this.planPlain()
    const deferredAny = await this.#failUnmarked(failure)
    if (deferredAny && !this.hasCompletedSession) this.hopStatus ??= toDsnFields(failure, '')
    if (this.session !== undefined) this.session.fate = 'throttled'
  }

  /** TLS was no good: the same server may be tried without, where policy allows it and somebody has no fate yet. */
  planPlain(): void {
    const { session } = this
    if (session?.allowsPlainRetry !== true || this.unmarked().length === 0) return
    session.isPlainNext = true
  }

  /** The recipients that are left are another agent's business: what it cannot do stays for later. */
  async passRest(transport: string, timeoutMs: number): Promise<void> {
    for (const recipient of this.#left) {
      try {
        const isDone = await passOn(this.job, recipient, transport, timeoutMs)
        if (isDone) this.job.completed(recipient)
      } catch (error) {
        log.warning(`${this.queueId}: cannot pass mail to ${transport}: ${errorReason(error)}`)
      }
    }
    this.#left = []
  }

  /** Those that were kept are next. The next session starts with times of its own. */
  endSession(): void {
    this.#left = this.#left.filter((one) => !this.#dropped.has(one))
    this.#kept.clear()
    this.session = undefined
    this.job.times = { agentMs: this.job.times.agentMs }
  }

  #canTryNext(failure: Failure): boolean {
    const hasNext = !this.isFinalServer || this.session?.isPlainNext === true
    return hasNext && (!isHard(failure) || this.job.isSoftBounce)
  }

  /** Was anybody really deferred? A probe is not: it has been answered. */
  async #failUnmarked(failure: Failure): Promise<boolean> {
    this.lastFailure = failure
    const unmarked = this.unmarked()
    if (this.#canTryNext(failure)) {
      log.info(`${this.queueId}: ${failure.reason}`)
      for (const recipient of unmarked) this.#kept.add(recipient)
      return false
    }
    const now = Date.now()
    this.job.times.connectedMs ??= now
    this.job.times.deliveredMs = now
    for (const recipient of unmarked) await this.#drop(recipient, failure)
    if (unmarked.length === 0 || this.job.isProbe) return false
    return !isHard(failure) || this.job.isSoftBounce
  }

  async #drop(recipient: Recipient, failure: Failure): Promise<void> {
    this.#dropped.add(recipient)
    await this.job.failed(recipient, { ...failure, ...this.#via() })
  }

  #via(): Pick<RelayedStatus, 'relay' | 'tls'> {
    const { session } = this
    if (session === undefined) return { relay: 'none' }
    return { relay: session.endpointText, tls: this.#logsTls ? tlsStatus(session) : undefined }
  }
}
