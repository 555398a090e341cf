/**
 * content-writer - hands the text of a message to the server, within the time that it has for that
 *
 * Nothing is awaited while less than 64 KB is unwritten, so that a small message leaves together with what ends it in one
 * system call. Where each request has a deadline, octets that went out earn time, in steps of 4 KB.
 * Source: Postfix 3.7 postconf(5), smtp_data_xfer_timeout, smtp_per_request_deadline, smtp_min_data_rate.
 */
import { ContentDeadline } from './content-deadline.ts'
import type { Session } from './session.ts'

/** Words after "while". */
export const MESSAGE_BODY = 'sending message body'

const UNWRITTEN_LIMIT_OCTETS = 64 * 1024
/** Of content with a deadline. */
const TIMED_STEP_OCTETS = 4096

export class ContentWriter {
  readonly #session: Session
  readonly #timeoutMs: number
  readonly #deadline: ContentDeadline | undefined

  /** `timeoutMs`: for each write, or, where each request has a deadline, for all that earns no more time at `minDataRate` octets per second. */
  constructor(session: Session, timeoutMs: number, minDataRate: number) {
    this.#session = session
    this.#timeoutMs = timeoutMs
    this.begin()
    const hasDeadline = session.stream.deadlineMs > 0
    this.#deadline = hasDeadline ? new ContentDeadline(timeoutMs, minDataRate) : undefined
  }

  /** Again, after replies were read. */
  begin(): void {
    this.#session.begin(MESSAGE_BODY, this.#timeoutMs)
  }

  /** @throws {EndOfStreamError | StreamTimeoutError} the server does not take it */
  async write(octets: string): Promise<void> {
    if (this.#deadline !== undefined) {
      await this.#writeInSteps(octets, this.#deadline)
      return
    }
    const { stream } = this.#session
    stream.write(octets)
    if (stream.unwritten >= UNWRITTEN_LIMIT_OCTETS) await this.#flush()
  }

  /** Each step earns time for the next one. */
  async #writeInSteps(octets: string, deadline: ContentDeadline): Promise<void> {
    const { stream } = this.#session
    for (let at = 0; at < octets.length; at += TIMED_STEP_OCTETS) {
      stream.write(octets.slice(at, at + TIMED_STEP_OCTETS))
      const { unwritten } = stream
      if (unwritten < TIMED_STEP_OCTETS) continue
      const startMs = Date.now()
      stream.deadlineMs = startMs + deadline.leftMs
      await this.#flush()
      deadline.wrote(unwritten, this.#session.lastIoMs - startMs)
    }
  }

  async #flush(): Promise<void> {
    await this.#session.stream.flush()
    this.#session.lastIoMs = Date.now()
  }
}
