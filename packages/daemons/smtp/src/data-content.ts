/**
 * data-content - DATA, the text with its dots doubled, and the final dot (RFC 5321 4.1.1.4)
 *
 *   DATA | replies | text  .  QUIT | replies
 *        |         | RSET     QUIT |         nobody accepted, or refused
 *
 * DATA goes with the envelope where the server has PIPELINING; so a server may want the text although it accepted nobody, and
 * gets a lone dot. A server that breaks the connection in the middle of the text is taken at its last word, unless that is a
 * yes: it is to half a message (Postfix counts it; test/parity/smtp-differences.ts).
 * Source: Postfix 3.7 smtp(8).
 */
import { setTimeout as pause } from 'node:timers/promises'
import { StreamTimeoutError } from '@posthorn/stream/byte-stream'
import { failForContent } from './content-failure.ts'
import type { ContentPhase } from './content-phase.ts'
import { ContentWriter } from './content-writer.ts'
import { outgoingContent } from './content.ts'
import type { Dialogue } from './dialogue.ts'
import { FEATURES } from './features.ts'
import { END_OF_DATA, halfMessageError, takeFinalReplies } from './final-replies.ts'
import { sayLast } from './last-command.ts'
import type { Reply } from './reply-parser.ts'
import { LocalDataError } from './session.ts'

const END_OF_DATA_COMMAND = 'end of DATA command'

export class DataContent implements ContentPhase {
  readonly #dialogue: Dialogue
  #reply: Reply | undefined

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue
  }

  async open(): Promise<boolean> {
    const { pipeline, accepted } = this.#dialogue
    await pipeline.makeRoom('DATA')
    if (pipeline.isIdle && accepted.length === 0) return false
    this.#sendCommand()
    await pipeline.drain()
    return this.#isAccepted
  }

  async send(): Promise<void> {
    const { accepted, delivery, session } = this.#dialogue
    if (accepted.length === 0) await this.#sendDot(() => undefined)
    else if (delivery.job.isProbe) await this.#stopHere()
    else if (await this.#sendText()) {
      const { stream } = session
      const command = { name: END_OF_DATA_COMMAND, confirm: async () => stream.flush() }
      await this.#sendDot(async (reply) => takeFinalReplies(this.#dialogue, reply, command))
    }
  }

  #sendCommand(): void {
    const { pipeline, accepted, delivery, options } = this.#dialogue
    pipeline.send('DATA', {
      stage: 'sending DATA command',
      timeoutMs: options.timeouts.dataInitMs,
      take: async (reply) => {
        this.#reply = reply
        if (this.#isAccepted || accepted.length === 0) return
        await delivery.failMessage(this.#dialogue.refusal(reply, 'DATA command'))
      },
    })
  }

  get #isAccepted(): boolean {
    const code = this.#reply?.code ?? 0
    return code >= 300 && code <= 399
  }

  async #sendDot(take: (reply: Reply) => Promise<void> | undefined): Promise<void> {
    const { pipeline, options } = this.#dialogue
    await sayLast(this.#dialogue, async () => {
      await pipeline.makeRoom('.')
      pipeline.send('.', { stage: END_OF_DATA, timeoutMs: options.timeouts.dataDoneMs, take })
    })
  }

  /** smtp_address_verify_target = data: the server would have taken it. */
  async #stopHere(): Promise<void> {
    const { accepted, delivery, session } = this.#dialogue
    await session.stream.flush() // a yes to what was not asked is none
    const said = this.#reply && this.#dialogue.serverSaid(this.#reply)
    for (const recipient of accepted) {
      await delivery.sent(recipient, { reason: '', ...said, dsn: '2.0.0' })
    }
    this.#dialogue.breakOff()
  }

  /** False: it did not go well, and that has been reported. @throws when the connection is lost without a word */
  async #sendText(): Promise<boolean> {
    const { session, options, delivery } = this.#dialogue
    try {
      const writer = new ContentWriter(
        session,
        options.timeouts.dataTransferMs,
        options.minDataRate,
      )
      for await (const octets of outgoingContent(this.#dialogue, true)) await writer.write(octets)
      if (session.has(FEATURES.pixDelayDot)) {
        await session.stream.flush()
        await pause(options.pixDelayMs)
      }
      return true
    } catch (error) {
      if (await failForContent(delivery, error)) this.#dialogue.breakOff()
      else await this.#readPrematureReply(error)
      return false
    }
  }

  /** The server hung up in the middle; perhaps it has said why. */
  async #readPrematureReply(error: unknown): Promise<void> {
    if (error instanceof StreamTimeoutError || error instanceof LocalDataError) throw error
    const reply = await this.#dialogue.session.readReply()
    this.#dialogue.breakOff()
    const confirm = async (): Promise<never> => Promise.reject(halfMessageError())
    await takeFinalReplies(this.#dialogue, reply, { name: END_OF_DATA_COMMAND, confirm })
  }
}
