/**
 * pipeline - sends commands ahead of their replies as far as the server allows (RFC 2920)
 *
 * Commands queue in the stream and go out in one write when replies are read. Replies are read, all that are
 * outstanding, before a command that would not fit into the buffer, when the connection was silent for long, at
 * every command without PIPELINING, and when the caller must know.
 * Source: Postfix 3.7.
 */
import { FEATURES } from './features.ts'
import type { Reply } from './reply-parser.ts'
import type { Session } from './session.ts'

/** What was said and not yet answered. */
export interface Expected {
  /** Words after "while" when the connection fails here. */
  readonly stage: string
  readonly timeoutMs: number
  readonly take: (reply: Reply) => Promise<void> | void
}

/** A client that writes more without reading, to a server that does the same, waits for ever. */
const BUFFER_OCTETS = 4096
const PATIENCE_MS = 10_000

export class Pipeline {
  readonly #session: Session
  readonly #expected: Expected[] = []
  #unsentOctets = 0

  constructor(session: Session) {
    this.#session = session
  }

  get isIdle(): boolean {
    return this.#expected.length === 0
  }

  /** How many replies are outstanding. */
  get count(): number {
    return this.#expected.length
  }

  /** One of them is there, at least its beginning, or the end is. At most one system call. */
  get hasReply(): boolean {
    return !this.isIdle && this.#session.stream.hasInput()
  }

  /** Before send(): reads replies when they must be known, or make room. @throws what reading replies throws */
  async makeRoom(command: string): Promise<void> {
    if (!this.isIdle && this.#mustRead(command)) await this.drain()
  }

  send(command: string, expected: Expected): void {
    this.#session.send(command)
    this.#unsentOctets += command.length + '\r\n'.length
    this.#expected.push(expected)
  }

  /** Reads all outstanding replies, in order. @throws see makeRoom() */
  async drain(): Promise<void> {
    this.#unsentOctets = 0
    while (!this.isIdle) await this.readOne()
  }

  /** Reads the oldest outstanding reply, if there is one. @throws see makeRoom() */
  async readOne(): Promise<void> {
    const next = this.#expected[0]
    if (next === undefined) return
    this.#session.begin(next.stage, next.timeoutMs)
    const reply = await this.#session.readReply()
    this.#expected.shift()
    await next.take(reply)
  }

  #mustRead(command: string): boolean {
    return (
      !this.#session.has(FEATURES.pipelining) ||
      this.#unsentOctets + command.length + '\r\n'.length > BUFFER_OCTETS ||
      Date.now() - this.#session.lastIoMs > PATIENCE_MS
    )
  }
}
