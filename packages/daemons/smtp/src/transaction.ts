/**
 * transaction - sends one message in one session: MAIL, RCPT, the text, and RSET or QUIT
 *
 *   XFORWARD  MAIL  RCPT ...  DATA | replies | text  .     QUIT | replies
 *   XFORWARD  MAIL  RCPT ...       | replies | BDAT  text  QUIT | replies
 *                                  |         | RSET        QUIT |         nobody accepted, or a probe
 *
 * One write for each side of a `|`. Whether the connection is kept is decided just before the last command; when it is
 * not, QUIT goes with it. Every recipient is reported to the delivery as soon as its fate is known.
 * Sources: RFC 5321 3.3, RFC 2920, RFC 2033 4.2 (LMTP), RFC 3030; Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import type { Recipient } from '@posthorn/wire/delivery-request'
import { ChunkedContent } from './chunked-content.ts'
import type { ContentPhase } from './content-phase.ts'
import { DataContent } from './data-content.ts'
import type { Delivery } from './delivery.ts'
import { Dialogue, isPositive } from './dialogue.ts'
import { localFailure } from './failure.ts'
import { FEATURES, XFORWARD_FEATURES } from './features.ts'
import { sayReset } from './last-command.ts'
import { mailCommand, rcptCommand, xforwardCommands } from './mail-commands.ts'
import type { Reply } from './reply-parser.ts'
import type { Session } from './session.ts'
import type { SmtpClient } from './smtp-client.ts'

/** Our own idle connection turned out dead before the server said anything: nothing has happened yet. */
export class StaleSessionError extends Error {
  readonly code = 'POSTHORN_STALE_SESSION'
}

export class Transaction {
  readonly #dialogue: Dialogue
  readonly #content: ContentPhase
  #isMailRejected = false

  constructor(
    delivery: Delivery,
    session: Session,
    client: Pick<SmtpClient, 'options' | 'headers' | 'tables'>,
  ) {
    this.#dialogue = new Dialogue(delivery, session, client)
    this.#content = takesChunks(this.#dialogue)
      ? new ChunkedContent(this.#dialogue)
      : new DataContent(this.#dialogue)
  }

  /**
   * The dialogue, with its failures reported. Afterwards the session may be kept when its fate says so.
   *
   * @throws {StaleSessionError} the connection cannot be used, and nobody was told anything
   */
  async run(): Promise<void> {
    const { delivery, session } = this.#dialogue
    const { sizeBytes } = delivery.job.request
    const { sizeLimit } = session
    if (sizeLimit > 0 && sizeLimit < sizeBytes) {
      const reason =
        `message size ${sizeBytes} exceeds size limit ${sizeLimit} ` +
        `of server ${session.hostText}`
      await delivery.failMessage(localFailure('5.3.4', reason))
      delivery.hasCompletedSession = true
      return
    }
    try {
      if (await this.#envelope()) await this.#content.send()
      else await sayReset(this.#dialogue)
      delivery.hasCompletedSession = true
    } catch (error) {
      await this.#failed(error)
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (error instanceof StaleSessionError) throw error
    const { session, delivery } = this.#dialogue
    if (session.origin === 'ownCache' && !session.hasAnswered) {
      session.failureOf(error)
      throw new StaleSessionError('Cannot use idle connection: the server is gone')
    }
    await delivery.failSite(session.failureOf(error))
  }

  /** True: somebody is to have the text, or the server waits for it. False: the transaction is to be undone. */
  async #envelope(): Promise<boolean> {
    const { delivery, session, options, tables, pipeline, isConverted } = this.#dialogue
    const { job } = delivery
    const { request } = job
    const { timeouts } = options
    await this.#forward()
    delivery.markConnected()
    const { generic } = tables
    const sender = generic === undefined ? request.sender : await generic.map(request.sender)
    const mail = mailCommand(sender, request, session, options, isConverted)
    await pipeline.makeRoom(mail)
    pipeline.send(mail, {
      stage: 'sending MAIL FROM',
      timeoutMs: this.#patienceMs(timeouts.mailMs),
      take: async (reply) => this.#takeMailReply(reply),
    })
    for (const recipient of delivery.recipientsLeft) {
      const address =
        generic === undefined ? recipient.recipient : await generic.map(recipient.recipient)
      const rcpt = rcptCommand(address, request, recipient, session, options)
      await pipeline.makeRoom(rcpt)
      if (this.#isMailRejected) return false
      pipeline.send(rcpt, {
        stage: 'sending RCPT TO',
        timeoutMs: timeouts.rcptMs,
        take: async (reply) => this.#takeRcptReply(recipient, reply),
      })
    }
    if (job.isProbe && options.probeTarget === 'rcpt') {
      await pipeline.drain()
      return false
    }
    return this.#content.open()
  }

  async #forward(): Promise<void> {
    const { session, options, pipeline, delivery } = this.#dialogue
    if (!options.sendsXforward || !session.has(XFORWARD_FEATURES)) return
    for (const { command, what, stage } of xforwardCommands(delivery.job.request, session)) {
      await pipeline.makeRoom(command)
      pipeline.send(command, {
        stage,
        timeoutMs: this.#patienceMs(options.timeouts.xforwardMs),
        take: (reply) => {
          if (isPositive(reply)) return
          const text = reply.text.replaceAll('\n', ' ')
          log.warning(`host ${session.endpointText} said: ${text} (in reply to ${what})`)
        },
      })
    }
  }

  /** An idle connection of our own was not probed: its first reply has the time that a probe would have had. */
  #patienceMs(timeoutMs: number): number {
    const { session, options, pipeline } = this.#dialogue
    const isUntried = session.origin === 'ownCache' && !session.hasAnswered && pipeline.isIdle
    return isUntried ? Math.min(timeoutMs, options.timeouts.rsetMs) : timeoutMs
  }

  async #takeMailReply(reply: Reply): Promise<void> {
    if (isPositive(reply)) return
    const { session, delivery } = this.#dialogue
    if (reply.code === 421 && session.origin === 'ownCache') {
      this.#dialogue.breakOff()
      throw new StaleSessionError('Cannot use idle connection: the server closes it')
    }
    this.#isMailRejected = true
    await delivery.failMessage(this.#dialogue.refusal(reply, 'MAIL FROM command'))
  }

  async #takeRcptReply(recipient: Recipient, reply: Reply): Promise<void> {
    if (this.#isMailRejected) return
    const { delivery, session, options, accepted } = this.#dialogue
    if (!isPositive(reply)) {
      await delivery.failRecipient(recipient, this.#dialogue.refusal(reply, 'RCPT TO command'))
    } else if (delivery.job.isProbe && options.probeTarget === 'rcpt') {
      await session.stream.flush() // a yes to what was not asked is none
      await this.#dialogue.succeed(recipient, reply)
    } else accepted.push(recipient)
  }
}

/** Not for a probe, which only asks, nor through a PIX, which waits for a dot. */
function takesChunks({ options, session, delivery }: Dialogue): boolean {
  return (
    options.sendsChunks &&
    session.has(FEATURES.chunking) &&
    !session.has(FEATURES.pixDelayDot) &&
    !delivery.job.isProbe
  )
}
