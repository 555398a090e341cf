/**
 * transaction - sends one message in one session: MAIL, RCPT, DATA, content, dot, and RSET or QUIT
 *
 *   XFORWARD  MAIL  RCPT ...  DATA | replies | content  .  QUIT | replies
 *                                  |         | RSET        QUIT |         nobody accepted, or a probe
 *
 * One write for each side of a `|`. Whether the connection is kept is decided just before the dot or RSET; when it is
 * not, QUIT goes with it. Every recipient is reported to the delivery as soon as its fate is known.
 * Sources: RFC 5321 3.3, RFC 2920, RFC 2033 4.2 (LMTP); Postfix 3.7.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { DeliveryStatus } from '@posthorn/delivery/delivery-status'
import { log } from '@posthorn/log/log'
import { QueueFileCorruptError } from '@posthorn/queue/queue-error'
import { StreamTimeoutError } from '@posthorn/stream/byte-stream'
import type { Recipient } from '@posthorn/wire/delivery-request'
import type { ClientOptions } from './client-options.ts'
import { sendContent, type HeaderFlags } from './content.ts'
import { MimeNestingError, type Edits } from './content-editor.ts'
import type { Delivery } from './delivery.ts'
import { isSuspect, localFailure, serverFailure, type Failure } from './failure.ts'
import { FEATURES, XFORWARD_FEATURES } from './features.ts'
import { OutgoingChecks } from './header-and-body-checks.ts'
import { mailCommand, rcptCommand, xforwardCommands } from './mail-commands.ts'
import { Pipeline } from './pipeline.ts'
import type { Reply } from './reply-parser.ts'
import { LocalDataError, type Session } from './session.ts'
import type { ClientTables, SmtpClient } from './smtp-client.ts'

/** Our own idle connection turned out dead before the server said anything: nothing has happened yet. */
export class StaleSessionError extends Error {
  readonly code = 'POSTHORN_STALE_SESSION'
}

const END_OF_DATA = 'sending end of data -- message may be sent more than once'

function isPositive(reply: Reply): boolean {
  return reply.code >= 200 && reply.code <= 299
}

export class Transaction {
  readonly #delivery: Delivery
  readonly #session: Session
  readonly #options: ClientOptions
  readonly #headers: HeaderFlags
  readonly #tables: ClientTables
  readonly #pipeline: Pipeline
  readonly #accepted: Recipient[] = []
  #isMailRejected = false
  #dataReply: Reply | undefined

  constructor(delivery: Delivery, session: Session, client: SmtpClient) {
    this.#delivery = delivery
    this.#session = session
    this.#options = client.options
    this.#headers = client.headers
    this.#tables = client.tables
    this.#pipeline = new Pipeline(session)
  }

  /**
   * The dialogue, with its failures reported. Afterwards the session may be kept when its fate says so.
   *
   * @throws {StaleSessionError} the connection cannot be used, and nobody was told anything
   */
  async run(): Promise<void> {
    const { job } = this.#delivery
    const { sizeLimit } = this.#session
    if (sizeLimit > 0 && sizeLimit < job.request.sizeBytes) {
      const reason =
        `message size ${job.request.sizeBytes} exceeds size limit ${sizeLimit} ` +
        `of server ${this.#session.hostText}`
      await this.#delivery.failMessage(localFailure('5.3.4', reason))
      this.#delivery.hasCompletedSession = true
      return
    }
    try {
      if (await this.#envelope()) await this.#content()
      else await this.#reset()
      this.#delivery.hasCompletedSession = true
    } catch (error) {
      await this.#failed(error)
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (error instanceof StaleSessionError) throw error
    const session = this.#session
    if (session.origin === 'ownCache' && !session.hasAnswered) {
      session.failureOf(error)
      throw new StaleSessionError('Cannot use idle connection: the server is gone')
    }
    await this.#delivery.failSite(session.failureOf(error))
  }

  /** True: somebody was accepted, the server waits for content. False: the transaction is to be undone. */
  async #envelope(): Promise<boolean> {
    const { job } = this.#delivery
    const { request } = job
    const { timeouts } = this.#options
    await this.#forward()
    this.#delivery.markConnected()
    const { generic } = this.#tables
    const sender = generic === undefined ? request.sender : await generic.map(request.sender)
    const mail = mailCommand(sender, request, this.#session, this.#options, this.isConverted)
    await this.#pipeline.makeRoom(mail)
    this.#pipeline.send(mail, {
      stage: 'sending MAIL FROM',
      timeoutMs: timeouts.mailMs,
      take: async (reply) => this.#takeMailReply(reply),
    })
    for (const recipient of this.#delivery.recipientsLeft) {
      const address =
        generic === undefined ? recipient.recipient : await generic.map(recipient.recipient)
      const rcpt = rcptCommand(address, request, recipient, this.#session, this.#options)
      await this.#pipeline.makeRoom(rcpt)
      if (this.#isMailRejected) return false
      this.#pipeline.send(rcpt, {
        stage: 'sending RCPT TO',
        timeoutMs: timeouts.rcptMs,
        take: async (reply) => this.#takeRcptReply(recipient, reply),
      })
    }
    if (job.isProbe && this.#options.probeTarget === 'rcpt') {
      await this.#pipeline.drain()
      return false
    }
    await this.#pipeline.makeRoom('DATA')
    if (this.#pipeline.isIdle && this.#accepted.length === 0) return false
    this.#sendData()
    await this.#pipeline.drain()
    return this.#isDataAccepted
  }

  async #forward(): Promise<void> {
    if (!this.#options.sendsXforward || !this.#session.has(XFORWARD_FEATURES)) return
    const { request } = this.#delivery.job
    for (const { command, what, stage } of xforwardCommands(request, this.#session)) {
      await this.#pipeline.makeRoom(command)
      this.#pipeline.send(command, {
        stage,
        timeoutMs: this.#options.timeouts.xforwardMs,
        take: (reply) => {
          if (isPositive(reply)) return
          const text = reply.text.replaceAll('\n', ' ')
          log.warning(`host ${this.#session.endpointText} said: ${text} (in reply to ${what})`)
        },
      })
    }
  }

  async #takeMailReply(reply: Reply): Promise<void> {
    if (isPositive(reply)) return
    if (reply.code === 421 && this.#session.origin === 'ownCache') {
      this.#session.isBroken = true
      this.#session.spend()
      throw new StaleSessionError('Cannot use idle connection: the server closes it')
    }
    this.#isMailRejected = true
    await this.#delivery.failMessage(this.#refusal(reply, 'MAIL FROM command'))
  }

  async #takeRcptReply(recipient: Recipient, reply: Reply): Promise<void> {
    if (this.#isMailRejected) return
    if (!isPositive(reply)) {
      await this.#delivery.failRecipient(recipient, this.#refusal(reply, 'RCPT TO command'))
    } else if (this.#delivery.job.isProbe && this.#options.probeTarget === 'rcpt') {
      await this.#succeed(recipient, reply)
    } else this.#accepted.push(recipient)
  }

  #sendData(): void {
    this.#pipeline.send('DATA', {
      stage: 'sending DATA command',
      timeoutMs: this.#options.timeouts.dataInitMs,
      take: async (reply) => {
        this.#dataReply = reply
        if (this.#isDataAccepted || this.#accepted.length === 0) return
        await this.#delivery.failMessage(this.#refusal(reply, 'DATA command'))
      },
    })
  }

  get #isDataAccepted(): boolean {
    const code = this.#dataReply?.code ?? 0
    return code >= 300 && code <= 399
  }

  async #content(): Promise<void> {
    if (this.#accepted.length === 0) {
      await this.#finish('.', this.#options.timeouts.dataDoneMs, END_OF_DATA, () => undefined)
      return
    }
    if (this.#delivery.job.isProbe) {
      await this.#stopAtData()
      return
    }
    if (!(await this.#sendText())) return
    const { dataDoneMs } = this.#options.timeouts
    if (this.#options.protocol === 'lmtp') {
      await this.#finish('.', dataDoneMs, END_OF_DATA, async (reply) =>
        this.#takeLmtpReplies(reply),
      )
    } else {
      await this.#finish('.', dataDoneMs, END_OF_DATA, async (reply) => this.#takeDotReply(reply))
    }
  }

  /** smtp_address_verify_target = data: the server would have taken it. */
  async #stopAtData(): Promise<void> {
    const reply = this.#dataReply
    for (const recipient of this.#accepted) {
      const text = reply?.text.replaceAll('\n', ' ') ?? ''
      await this.#delivery.sent(recipient, { ...this.#serverSaid(text), dsn: '2.0.0' })
    }
    this.#session.isBroken = true
    this.#session.spend()
  }

  /** False: it did not go well, and that has been reported. @throws when the connection is lost without a word */
  async #sendText(): Promise<boolean> {
    const { job } = this.#delivery
    const { timeouts, lineLengthLimit, minDataRate, pixDelayMs } = this.#options
    try {
      const didBreak = await sendContent(job, this.#accepted, this.#session, {
        lineLengthLimit,
        edits: this.#edits,
        headers: this.#headers,
        timeoutMs: timeouts.dataTransferMs,
        minDataRate,
      })
      if (didBreak && !this.#delivery.hasLoggedBrokenLine) {
        this.#delivery.hasLoggedBrokenLine = true
        log.info(
          `${this.#delivery.queueId}: breaking line > ${lineLengthLimit} bytes with <CR><LF>SPACE`,
        )
      }
      if (this.#session.has(FEATURES.pixDelayDot)) {
        await this.#session.stream.flush()
        await pause(pixDelayMs)
      }
      return true
    } catch (error) {
      if (error instanceof QueueFileCorruptError) await this.#unreadable(error)
      else if (error instanceof MimeNestingError) {
        await this.#giveUp(localFailure('5.6.0', 'MIME nesting exceeds safety limit'))
      } else await this.#readPrematureReply(error)
      return false
    }
  }

  /** The server hung up in the middle; perhaps it has said why. */
  async #readPrematureReply(error: unknown): Promise<void> {
    if (error instanceof StreamTimeoutError || error instanceof LocalDataError) throw error
    const reply = await this.#session.readReply()
    this.#session.isBroken = true
    this.#session.spend()
    if (this.#options.protocol === 'smtp') await this.#takeDotReply(reply)
    else await this.#takeLmtpReplies(reply)
  }

  async #unreadable(error: QueueFileCorruptError): Promise<void> {
    const { job } = this.#delivery
    log.warning(`${this.#delivery.queueId}: ${error.message}`)
    await this.#giveUp(localFailure('5.3.0', 'unreadable mail queue entry'))
    if (job.isFinished) job.file.markCorrupt()
  }

  /** In the middle of the text: nothing can be said any more. */
  async #giveUp(failure: Failure): Promise<void> {
    this.#session.isBroken = true
    this.#session.spend()
    await this.#delivery.failMessage(failure)
  }

  async #takeDotReply(reply: Reply): Promise<void> {
    this.#delivery.markDelivered()
    if (isPositive(reply)) {
      for (const recipient of this.#accepted) await this.#succeed(recipient, reply)
    } else await this.#delivery.failMessage(this.#refusal(reply, 'end of DATA command'))
  }

  /** One for each recipient that was accepted (RFC 2033 4.2). */
  async #takeLmtpReplies(first: Reply): Promise<void> {
    const session = this.#session
    let reply: Reply | undefined = first
    for (const recipient of this.#accepted) {
      if (reply === undefined) {
        session.begin(session.stage, this.#options.timeouts.dataDoneMs)
        reply = await session.readReply()
      }
      await this.#takeLmtpReply(recipient, reply)
      reply = undefined
    }
  }

  async #takeLmtpReply(recipient: Recipient, reply: Reply): Promise<void> {
    this.#delivery.markDelivered()
    if (isPositive(reply)) await this.#succeed(recipient, reply)
    else {
      await this.#delivery.failRecipient(recipient, this.#refusal(reply, 'end of DATA command'))
    }
  }

  async #succeed(recipient: Recipient, reply: Reply): Promise<void> {
    const text = reply.text.replaceAll('\n', ' ')
    const isFinal = this.#options.protocol === 'lmtp' && this.#headers.isFinal
    await this.#delivery.sent(
      recipient,
      { ...this.#serverSaid(text), dsn: reply.dsn, action: isFinal ? 'delivered' : 'relayed' },
      this.#session.has(FEATURES.dsn),
    )
  }

  /** For the report of success. */
  #serverSaid(text: string): Omit<DeliveryStatus, 'dsn'> {
    return {
      reason: text,
      diagnosticType: 'smtp',
      diagnosticText: text,
      remoteMtaType: 'dns',
      remoteMtaName: this.#session.host.name,
    }
  }

  async #reset(): Promise<void> {
    await this.#finish('RSET', this.#options.timeouts.rsetMs, 'sending final RSET', (reply) => {
      if (!isPositive(reply)) this.#session.spend()
    })
  }

  /** The last command, and QUIT when the connection is not kept. */
  async #finish(
    command: string,
    timeoutMs: number,
    stage: string,
    take: (reply: Reply) => Promise<void> | undefined,
  ): Promise<void> {
    const session = this.#session
    if (session.isExpired) session.spend()
    await this.#pipeline.makeRoom(command)
    this.#pipeline.send(command, { stage, timeoutMs, take })
    if (session.fate === 'cacheable') {
      await this.#pipeline.drain()
      return
    }
    if (!session.has(FEATURES.pipelining)) await this.#pipeline.drain()
    session.send('QUIT')
    await this.#pipeline.drain()
    await this.#awaitQuitReply()
  }

  async #awaitQuitReply(): Promise<void> {
    const session = this.#session
    session.isBroken = true // nothing more is said
    if (this.#options.skipsQuitReply) {
      await session.stream.flush().catch(() => undefined)
      return
    }
    session.begin('sending QUIT', this.#options.timeouts.quitMs)
    await session.readReply().catch(() => undefined)
  }

  #refusal(reply: Reply, command: string): ReturnType<typeof serverFailure> {
    if (isSuspect(reply)) this.#session.distrust()
    const before = `host ${this.#session.hostText} said: `
    return serverFailure(this.#session.host.name, reply, before, ` (in reply to ${command})`)
  }

  /** What is to be changed in the text. */
  get #edits(): Edits | undefined {
    const { generic, checks } = this.#tables
    const { isConverted } = this
    if (generic === undefined && checks === undefined && !isConverted) return undefined
    const { mime, protocol } = this.#options
    const { queueId } = this.#delivery
    return {
      generic,
      checks: checks && new OutgoingChecks(checks, { queueId, protocol }),
      isConverted,
      mime,
    }
  }

  /** 8-bit text for a server that does not take it (RFC 6152 3). */
  get isConverted(): boolean {
    const { request } = this.#delivery.job
    return (
      this.#options.convertsToSevenBit &&
      !this.#session.has(FEATURES.eightBitMime) &&
      request.encoding !== '7bit'
    )
  }
}
