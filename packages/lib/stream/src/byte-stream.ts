/**
 * byte-stream - a conversation: buffered octets, deadlines, descriptor passing
 *
 * One owner, who pulls: the stream reads only inside fill() and the read functions, so a descriptor that comes next can be
 * received safely, and a peer that talks too much waits in the kernel. Replies queue and go out in one system call when
 * the owner next waits for input, at the end of the turn, or at flush(), whichever is first. With more than
 * 64 KB unwritten, fill() first waits for the peer to read.
 *
 * Limits: `timeoutMs` for each wait, `deadlineMs` for all of them; both 0 = none. Input is bounded by the caller's limits
 * plus one read of 64 KB. Octets are latin1 strings.
 */
import { Descriptor, READABLE, WRITABLE } from '@posthorn/native/descriptor'
import { localAddress, type SocketAddress } from '@posthorn/native/socket'
import { SystemError } from '@posthorn/native/system-error'
import { scheduleDeadline, type Deadline } from './deadline-timer.ts'
import { atEndOfTurn } from './end-of-turn.ts'
import { InputBuffer } from './input-buffer.ts'
import { OutputQueue } from './output-queue.ts'
import { EndOfStreamError, StreamTimeoutError } from './stream-error.ts'
import type { Transport } from './transport.ts'

export { connectStream } from './connect-stream.ts'
export { EndOfStreamError, StreamLimitError, StreamTimeoutError } from './stream-error.ts'

const MAX_UNWRITTEN_OCTETS = 65_536
/** So many reads in a row find input waiting; then others have their turn. */
const MAX_EAGER_READS = 16

const LOST = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'ENOTCONN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
])

type Direction = 'input' | 'output'

interface Wait {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  readonly deadline: Deadline | undefined
}

export class ByteStream {
  /** For each wait; 0 = for ever. */
  timeoutMs: number
  /** All waits together end at this `Date.now()`; 0 = never. */
  deadlineMs = 0

  #transport: Transport | undefined
  readonly #input = new InputBuffer()
  readonly #output = new OutputQueue()
  readonly #waits: Record<Direction, Wait | undefined> = { input: undefined, output: undefined }
  readonly #drainJob: () => void
  #flushing: Promise<void> | undefined
  #outputError: Error | undefined
  #hasEnded = false
  #eagerReads = 0
  #idle: (() => void) | undefined

  /** Takes ownership of the transport, which is a Descriptor as a rule. */
  constructor(transport: Transport, options: { timeoutMs?: number } = {}) {
    this.#transport = transport
    this.timeoutMs = options.timeoutMs ?? 0
    this.#drainJob = () => {
      this.#drain()
    }
  }

  /** Received, not yet taken. */
  get buffered(): string {
    return this.#input.peek()
  }

  /** Octets that the kernel has not taken yet. Whoever writes much awaits flush() when this grows. */
  get unwritten(): number {
    return this.#output.length
  }

  /** Not closed by us; the peer may be gone. */
  get isOpen(): boolean {
    return this.#transport !== undefined
  }

  /** Waits for octets beyond those buffered; false: the peer ended its side. @throws {EndOfStreamError | StreamTimeoutError} */
  async fill(): Promise<boolean> {
    const congestion = this.#beforeInput()
    if (congestion !== undefined) await congestion
    if (this.#hasEnded) return false
    for (;;) {
      const octets = this.#receive()
      if (octets === '') {
        this.#hasEnded = true
        return false
      }
      if (octets !== undefined) {
        this.#input.push(octets)
        if (++this.#eagerReads > MAX_EAGER_READS) await this.#yield()
        return true
      }
      this.#eagerReads = 0
      await this.#wait('input')
    }
  }

  /** At most `count` of the octets buffered. */
  take(count: number): string {
    return this.#input.take(count)
  }

  /**
   * A line, if LF is buffered: without LF and without one CR before it. Does not wait.
   * @throws {StreamLimitError} more than `limit` octets come before LF
   */
  takeLine(limit: number): string | undefined {
    const line = this.#input.takeUntil('\n', limit)
    return line?.endsWith('\r') === true ? line.slice(0, -1) : line
  }

  /** Without the delimiter. @throws {EndOfStreamError | StreamLimitError | StreamTimeoutError} */
  async readUntil(delimiter: string, limit: number): Promise<string> {
    let searched = 0
    for (;;) {
      const found = this.#input.takeUntil(delimiter, limit, searched)
      if (found !== undefined) return found
      searched = Math.max(0, this.#input.length - delimiter.length + 1)
      await this.#fillOrFail()
    }
  }

  /** @throws {EndOfStreamError | StreamTimeoutError} */
  async readExactly(count: number): Promise<string> {
    while (this.#input.length < count) await this.#fillOrFail()
    return this.#input.take(count)
  }

  async #fillOrFail(): Promise<void> {
    if (!(await this.fill())) throw new EndOfStreamError('Cannot read on: the peer ended')
  }

  /** Queued. After the peer is gone it does nothing: flush() tells. */
  write(octets: string | Buffer): void {
    if (this.#transport === undefined || this.#outputError !== undefined) return
    if (this.#output.length === 0) atEndOfTurn(this.#drainJob)
    this.#output.push(octets)
  }

  /** Everything is in the kernel. @throws {EndOfStreamError | StreamTimeoutError} */
  async flush(): Promise<void> {
    this.#drain()
    if (this.#outputError !== undefined) throw this.#outputError
    if (this.#output.length === 0) return
    this.#flushing ??= this.#flushSlowly()
    return this.#flushing
  }

  async #flushSlowly(): Promise<void> {
    try {
      while (this.#output.length > 0) await this.#wait('output')
      if (this.#outputError !== undefined) throw this.#outputError
    } finally {
      this.#flushing = undefined
    }
  }

  /** Waits for input, end or hang-up, and takes nothing. @throws {EndOfStreamError | StreamTimeoutError} */
  async untilReadable(): Promise<void> {
    await this.#beforeInput()
    if (!this.hasInput()) await this.#wait('input')
  }

  /**
   * For idle connections: calls `gone` once when the peer ends or sends something. The next read, detach() or close()
   * cancels it.
   */
  watchHangup(gone: () => void): void {
    const transport = this.#open()
    this.#idle = gone
    transport.watch(this.#ready)
    if (!this.hasInput()) return
    queueMicrotask(() => {
      this.#endIdle(gone)
    })
  }

  #endIdle(gone: () => void): void {
    if (this.#idle !== gone) return
    this.#idle = undefined
    gone()
  }

  /** Passes a descriptor, which is then spent. @throws {EndOfStreamError | StreamTimeoutError} it is still the caller's */
  async sendDescriptor(passed: Descriptor): Promise<void> {
    await this.flush()
    while (!this.#attempt(() => this.#bare().sendDescriptor(passed))) {
      await this.#wait('output')
    }
  }

  /**
   * Nothing may be buffered: the carrier octet would be lost among it. `asIs`: not to be read or written here, see
   * Descriptor.receiveDescriptor(). @throws {EndOfStreamError | StreamTimeoutError}
   */
  async receiveDescriptor(asIs = false): Promise<Descriptor> {
    if (this.#input.length > 0) throw new Error('Cannot receive descriptor: input is buffered')
    await this.#beforeInput()
    for (;;) {
      const passed = this.#attempt((transport) =>
        transport.maybeReadable ? this.#bare().receiveDescriptor(asIs) : undefined,
      )
      if (passed !== undefined) return passed
      await this.#wait('input')
    }
  }

  /**
   * Ownership goes back; the stream is spent, unless attach() gives it another transport.
   * @throws {Error} octets are buffered or unwritten, or somebody waits
   */
  detach(): Descriptor {
    const descriptor = this.#bare()
    this.#drain()
    if (this.#input.length > 0) throw new Error('Cannot detach stream: input is buffered')
    if (this.#output.length > 0) throw new Error('Cannot detach stream: output is unwritten')
    if (this.#waits.input ?? this.#waits.output) {
      throw new Error('Cannot detach stream: somebody waits on it')
    }
    this.#transport = undefined
    this.#idle = undefined
    descriptor.unwatch()
    return descriptor
  }

  /**
   * After detach(): the conversation goes on through this transport, say TLS over the descriptor. `received`: what has come
   * through it already.
   */
  attach(transport: Transport, received = ''): void {
    if (this.#transport !== undefined) throw new Error('Cannot attach transport: there is one')
    this.#transport = transport
    this.#hasEnded = false
    this.#input.push(received)
  }

  /** Our end of the connection; undefined: under TLS, or when the stream was closed, it is not known. */
  localAddress(): SocketAddress | undefined {
    return this.#transport instanceof Descriptor ? localAddress(this.#transport) : undefined
  }

  /** Flushes, then closes in any case. @throws {EndOfStreamError | StreamTimeoutError} not all was sent */
  async end(): Promise<void> {
    try {
      await this.flush()
    } finally {
      this.close()
    }
  }

  /** Now: what is buffered or unwritten is dropped, pending waits reject with EndOfStreamError. */
  close(): void {
    const transport = this.#transport
    if (transport === undefined) return
    this.#transport = undefined
    this.#idle = undefined
    this.#output.clear()
    transport.close()
    for (const direction of ['input', 'output'] as const) {
      // an error with its stack costs 20 us, and mostly nobody waits
      if (this.#waits[direction] === undefined) continue
      this.#settle(
        direction,
        new EndOfStreamError(`Cannot wait for ${direction}: the stream was closed`),
      )
    }
  }

  #open(): Transport {
    if (this.#transport !== undefined) return this.#transport
    throw new EndOfStreamError('Cannot use stream: it was closed')
  }

  /** Descriptors travel between processes of ours only, in plaintext. */
  #bare(): Descriptor {
    const transport = this.#open()
    if (transport instanceof Descriptor) return transport
    throw new Error('Cannot take or pass descriptor: the stream is secured')
  }

  /** Input ends idleness, and our words come before the peer's answer. */
  #beforeInput(): Promise<void> | undefined {
    this.#idle = undefined
    if (this.#output.length === 0) return undefined
    this.#drain()
    return this.#output.length > MAX_UNWRITTEN_OCTETS ? this.flush() : undefined
  }

  #receive(): string | undefined {
    return this.#attempt((transport) =>
      transport.maybeReadable ? transport.readText() : undefined,
    )
  }

  /** Does something with the transport; a connection that turns out lost is the end of the stream. */
  #attempt<T>(operation: (transport: Transport) => T): T {
    const transport = this.#open()
    try {
      return operation(transport)
    } catch (error) {
      throw lostConnection(error)
    }
  }

  #drain(): void {
    const transport = this.#transport
    if (transport === undefined || this.#output.length === 0) return
    try {
      this.#output.drain(transport)
      // the rest goes out on an event, also when nobody awaits it
      if (this.#output.length > 0 && !transport.isWatched) transport.watch(this.#ready)
    } catch (error) {
      this.#outputError = lostConnection(error)
      this.#output.clear()
    }
  }

  /** Something is there, or the end is: without an event for it still to come. At most one system call. */
  hasInput(): boolean {
    const transport = this.#open()
    if (this.#input.length > 0 || this.#hasEnded) return true
    return transport.maybeReadable && (transport.hasHungUp || transport.bytesReadable() > 0)
  }

  readonly #ready = (ready: number): void => {
    if ((ready & WRITABLE) !== 0) {
      this.#drain()
      this.#settle('output')
    }
    if ((ready & READABLE) !== 0) {
      this.#settle('input')
      if (this.#idle !== undefined) this.#endIdle(this.#idle)
    }
  }

  async #yield(): Promise<void> {
    this.#eagerReads = 0
    return new Promise((resolve) => setImmediate(resolve))
  }

  async #wait(direction: Direction): Promise<void> {
    const transport = this.#open()
    if (this.#waits[direction] !== undefined) {
      throw new Error(`Cannot wait for ${direction}: somebody waits already`)
    }
    transport.watch(this.#ready)
    return new Promise((resolve, reject) => {
      this.#waits[direction] = { resolve, reject, deadline: this.#deadline(direction) }
    })
  }

  #deadline(direction: Direction): Deadline | undefined {
    const byTimeout = this.timeoutMs > 0 ? Date.now() + this.timeoutMs : Infinity
    const atMs = this.deadlineMs > 0 ? Math.min(byTimeout, this.deadlineMs) : byTimeout
    if (atMs === Infinity) return undefined
    return scheduleDeadline(atMs, () => {
      this.#settle(direction, new StreamTimeoutError(`Cannot wait longer for ${direction}`))
    })
  }

  #settle(direction: Direction, error?: Error): void {
    const wait = this.#waits[direction]
    if (wait === undefined) return
    this.#waits[direction] = undefined
    wait.deadline?.cancel()
    if (error === undefined) wait.resolve()
    else wait.reject(error)
  }
}

function lostConnection(error: unknown): Error {
  if (error instanceof SystemError && LOST.has(error.code)) {
    return new EndOfStreamError(`Cannot go on: ${error.reason}`, { cause: error })
  }
  return error instanceof Error ? error : new Error(String(error))
}
