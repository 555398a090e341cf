/**
 * chunked-content - the text in chunks of known size, for a server with CHUNKING (RFC 3030)
 *
 *   | BDAT 65536 text | BDAT 65536 text | BDAT 1234 LAST text  QUIT | replies
 *
 * Octets are counted, so no dots are doubled. With PIPELINING a reply is awaited when so many chunks have none, and read as
 * soon as it is there (RFC 3030 4.2); without, after each chunk. A chunk that is refused is the fate of the message: nothing
 * of the text follows, and RSET clears what is left at the server (RFC 3030 2). That is said between chunks, so that text
 * which turns out to be damaged costs nobody the connection either. Who accepted nobody gets no text.
 *
 * BODY=BINARYMIME is not used: the text has lines.
 */
import { StreamTimeoutError } from '@posthorn/stream/byte-stream'
import { cutChunks } from './chunk-cutter.ts'
import { failForContent } from './content-failure.ts'
import type { ContentPhase } from './content-phase.ts'
import { ContentWriter, MESSAGE_BODY } from './content-writer.ts'
import { outgoingContent } from './content.ts'
import { isPositive, type Dialogue } from './dialogue.ts'
import { FEATURES } from './features.ts'
import { END_OF_DATA, halfMessageError, takeFinalReplies } from './final-replies.ts'
import { sayLast, sayReset } from './last-command.ts'
import type { Expected } from './pipeline.ts'
import type { Reply } from './reply-parser.ts'
import { LocalDataError } from './session.ts'

const CHUNK_OCTETS = 64 * 1024
/** Chunks on their way, the one to come included: the replies to so many fit into the server's output. */
const WINDOW_CHUNKS = 8

export class ChunkedContent implements ContentPhase {
  readonly #dialogue: Dialogue
  /** Everything was queued: the server may have the message although we do not know. */
  #isSaid = false
  /** The message has a fate: replies that still come do not matter. */
  #isDecided = false

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue
  }

  async open(): Promise<boolean> {
    await this.#dialogue.pipeline.drain()
    return this.#dialogue.accepted.length > 0
  }

  async send(): Promise<void> {
    const { session, options } = this.#dialogue
    const writer = new ContentWriter(session, options.timeouts.dataTransferMs, options.minDataRate)
    const last = await this.#sendAllButLast(writer)
    if (last !== undefined) {
      await this.#sendLast(last, writer)
      // after a refusal RSET is due, unless QUIT has been said
      if (!this.#isDecided || session.isBroken || session.fate !== 'cacheable') return
    }
    if (session.isBroken) return
    await this.#dialogue.pipeline.drain()
    await sayReset(this.#dialogue)
  }

  /** The last chunk, when its turn has come; undefined: it went wrong, and that has been reported. */
  async #sendAllButLast(writer: ContentWriter): Promise<string | undefined> {
    const { dataTransferMs } = this.#dialogue.options.timeouts
    try {
      for await (const { octets, isLast } of cutChunks(
        outgoingContent(this.#dialogue, false),
        CHUNK_OCTETS,
      )) {
        await this.#makeRoom()
        if (this.#isDecided) return undefined
        if (isLast) return octets
        writer.begin()
        const reply = this.#expect(dataTransferMs, async (one) => this.#takeChunkReply(one))
        this.#dialogue.pipeline.send(`BDAT ${octets.length}`, reply)
        await writer.write(octets)
      }
    } catch (error) {
      this.#isDecided ||= await failForContent(this.#dialogue.delivery, error)
      if (!this.#isDecided) await this.#readPrematureReplies(error)
    }
    return undefined
  }

  async #sendLast(octets: string, writer: ContentWriter): Promise<void> {
    const { pipeline, options } = this.#dialogue
    const { dataDoneMs } = options.timeouts
    try {
      await sayLast(this.#dialogue, async () => {
        writer.begin()
        const reply = this.#expect(dataDoneMs, async (one) => this.#takeLastReply(one))
        pipeline.send(`BDAT ${octets.length} LAST`, reply)
        await writer.write(octets)
        this.#isSaid = true
      })
    } catch (error) {
      if (this.#isSaid) throw error
      await this.#readPrematureReplies(error)
    }
  }

  /** Replies that are there are read, and as many as it takes that one more can be awaited. */
  async #makeRoom(): Promise<void> {
    const { session, pipeline } = this.#dialogue
    const limit = session.has(FEATURES.pipelining) ? WINDOW_CHUNKS - 1 : 0
    while (!this.#isDecided && (pipeline.count > limit || pipeline.hasReply)) {
      await pipeline.readOne()
    }
  }

  #expect(timeoutMs: number, take: (reply: Reply) => Promise<void>): Expected {
    const stage = (): string => (this.#isSaid ? END_OF_DATA : MESSAGE_BODY)
    return {
      /** When the reply is read. */
      get stage() {
        return stage()
      },
      timeoutMs,
      take,
    }
  }

  async #takeChunkReply(reply: Reply): Promise<void> {
    if (this.#isDecided || isPositive(reply)) return
    this.#isDecided = true
    await this.#dialogue.delivery.failMessage(this.#dialogue.refusal(reply, 'BDAT command'))
  }

  async #takeLastReply(reply: Reply): Promise<void> {
    const { session, options } = this.#dialogue
    if (this.#isDecided) {
      // one reply, or one for each recipient? RFC 2033 does not say
      if (options.protocol === 'lmtp') this.#dialogue.breakOff()
      return
    }
    if (!isPositive(reply)) this.#isDecided = true
    const confirm = async (): Promise<void> => {
      if (!this.#isSaid) throw halfMessageError()
      await session.stream.flush()
    }
    await takeFinalReplies(this.#dialogue, reply, { name: 'BDAT LAST command', confirm })
  }

  /** The server hung up in the middle; perhaps it has said why. @throws the error when it has not */
  async #readPrematureReplies(error: unknown): Promise<void> {
    if (error instanceof StreamTimeoutError || error instanceof LocalDataError) throw error
    const { pipeline } = this.#dialogue
    while (!this.#isDecided && pipeline.count > 0) await pipeline.readOne()
    if (!this.#isDecided) throw error
    this.#dialogue.breakOff()
  }
}
