/**
 * submission-session - a message on its way to cleanup(8) or postdrop(1)
 *
 * The server has announced the queue id; the client sends records that end with the END record, and gets a status with
 * a reason. One message per connection, unless client and server agree on more (channel-pool.ts). On an error the server reads on up to the END record before it answers, so a
 * client may always finish writing. A client that leaves before the END record cancels the message.
 *
 * Source: Postfix 3.7 cleanup(8), postdrop(1).
 */
import { errorReason } from '@posthorn/native/system-error'
import type { AttrList } from './attr-list.ts'
import { defineList, int, text } from './attr-schema.ts'
import type { Channel } from './channel.ts'
import { staysField } from './channel-pool.ts'
import { AttrError } from './wire-error.ts'

/** Zero is success; otherwise bits. */
export const CLEANUP_STATUS = {
  ok: 0,
  /** internal protocol error */
  bad: 1,
  /** queue file write error */
  write: 2,
  /** message file too big */
  size: 4,
  /** message content rejected */
  content: 8,
  /** too many hops */
  hops: 16,
  /** no recipients specified */
  recipients: 64,
  /** queue file write error, in a proxy */
  proxy: 128,
  /** service unavailable */
  defer: 256,
  /** service denied */
  noPermission: 512,
  /** bare LF received: set by smtpd(8) itself */
  bareLf: 65536,
} as const

export const SubmissionReply = defineList({
  status: int('status'),
  /** free text, or with the smtpReply flag a complete SMTP reply */
  reason: text('reason'),
  stays: staysField,
})

export interface SubmissionResult {
  readonly status: number
  readonly reason: string
}

/** The queue id in the server's announcement. @throws {AttrError} there is none */
export function announcedQueueId(announced: AttrList): string {
  const [first] = announced
  if (first?.[0] !== 'queue_id' || announced.length !== 1 || first[1] === '') {
    throw new AttrError('Cannot accept announcement: want a queue_id after the protocol')
  }
  return first[1]
}

export class SubmissionSession {
  readonly queueId: string
  readonly #channel: Channel
  readonly #stayed: ((channel: Channel) => void) | undefined

  /**
   * `stayed` takes the channel of a server that stays for another message.
   * @throws {AttrError} the announcement that `channel` has read carries no queue id
   */
  constructor(channel: Channel, stayed?: (channel: Channel) => void) {
    this.#channel = channel
    this.#stayed = stayed
    this.queueId = announcedQueueId(channel.announced)
  }

  /** Queues record octets; await ready() from time to time, so that they do not pile up. */
  send(records: string | Buffer): void {
    this.#channel.stream.write(records)
  }

  /** Everything sent is in the kernel. @throws {EndOfStreamError | SystemError | StreamTimeoutError} */
  async ready(): Promise<void> {
    await this.#channel.stream.flush()
  }

  /**
   * To be called once the END record was sent: waits for the verdict, and closes, or releases the channel.
   * A server that is lost on the way counts as a write error.
   */
  async finish(): Promise<SubmissionResult> {
    try {
      const { status, reason, stays } = SubmissionReply.parse(await this.#channel.receiveReply())
      if (stays && this.#stayed !== undefined) this.#stayed(this.#channel)
      else this.#channel.close()
      return { status, reason }
    } catch (error) {
      this.#channel.close()
      const reason = `queue file write error: ${errorReason(error)}`
      return { status: CLEANUP_STATUS.write, reason }
    }
  }

  /** Leaves; the server removes the queue file unless it has seen the END record. */
  cancel(): void {
    this.#channel.close()
  }
}
