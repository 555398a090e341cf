/**
 * bounce-client - what cleanup(8) tells the bounce and trace services
 *
 * Source: Postfix 3.7 cleanup(8), bounce(8); RFC 3461 5.2.7.
 */
import { log } from '@posthorn/log/log'
import { emptyDsn, type DsnFields, type Recipient } from '@posthorn/wire/attr-groups'
import { BOUNCE_FLAGS, type BounceRequest } from '@posthorn/wire/bounce-protocol'
import type { Message } from './message.ts'

export interface BouncePaths {
  /** As in `private/bounce`. */
  readonly bounce: string
  readonly trace: string
}

export class BounceClient {
  readonly #ask: (path: string, request: BounceRequest) => Promise<number>
  readonly #paths: BouncePaths

  /** @param ask sends a request and returns the status, 0 for done */
  constructor(ask: (path: string, request: BounceRequest) => Promise<number>, paths: BouncePaths) {
    this.#ask = ask
    this.#paths = paths
  }

  /**
   * The sender asked to hear of success, and the recipient was an alias: that much has succeeded. When it cannot be
   * recorded the mail goes on all the same.
   */
  async expanded(message: Message, recipient: Omit<Recipient, 'offset'>): Promise<void> {
    const dsn = { status: '2.0.0', action: 'expanded', reason: 'alias expanded' }
    try {
      await this.#append(this.#paths.trace, message, { ...recipient, offset: 0 }, dsn)
    } catch (error) {
      log.warning(`${message.id}: trace record not written: ${reasonOf(error)}`)
    }
  }

  /** @throws when bounce(8) does not take it */
  async refused(
    message: Message,
    recipient: Recipient,
    refusal: { readonly dsn: string; readonly text: string },
  ): Promise<void> {
    const dsn = { status: refusal.dsn, action: 'failed', reason: refusal.text }
    await this.#append(this.#paths.bounce, message, recipient, dsn)
  }

  /**
   * Has the report made and sent, from the log that refused() wrote.
   *
   * @param returnFlags how much of the message goes back (RFC 3461 4.3)
   * @throws when bounce(8) fails
   */
  async sendReport(message: Message, returnFlags: number): Promise<void> {
    await this.#send(this.#paths.bounce, {
      request: 1,
      flags: BOUNCE_FLAGS.clean,
      queueName: message.writer.queue,
      queueId: message.id,
      encoding: message.encoding,
      smtpUtf8: message.smtputf8,
      sender: message.sender ?? '',
      envelopeId: message.envelopeId,
      returnFlags,
    })
  }

  async #append(
    path: string,
    message: Message,
    recipient: Recipient,
    dsn: Partial<DsnFields>,
  ): Promise<void> {
    await this.#send(path, {
      request: 0,
      flags: BOUNCE_FLAGS.clean,
      queueId: message.id,
      recipient,
      dsn: { ...emptyDsn, ...dsn },
    })
  }

  async #send(path: string, request: BounceRequest): Promise<void> {
    const status = await this.#ask(path, request)
    if (status !== 0) throw new Error(`Cannot use ${path}: status ${status}`)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
