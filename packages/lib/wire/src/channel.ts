/**
 * channel - attribute lists over a stream
 *
 * A server announces its protocol as soon as it has accepted; the client checks that before it writes. After this
 * each side sends a list when it is its turn: no service of Postfix reads ahead, so nothing is ever pipelined.
 *
 * Limits: those of attr-list.ts for every list; the time-outs are the stream's.
 */
import { connectStream, EndOfStreamError, type ByteStream } from '@posthorn/stream/byte-stream'
import { attr0, type Attr, type AttrList, type ListEncoding, type ListLimits } from './attr-list.ts'
import { AttrError } from './wire-error.ts'

export interface ConnectOptions {
  /** the value that the server must announce */
  readonly protocol: string
  /** for each wait */
  readonly timeoutMs: number
  readonly encoding?: ListEncoding | undefined
  readonly signal?: AbortSignal | undefined
}

export class Channel {
  readonly stream: ByteStream
  /** what the server announced after its protocol */
  announced: AttrList = []
  readonly #encoding: ListEncoding

  constructor(stream: ByteStream, encoding = attr0) {
    this.stream = stream
    this.#encoding = encoding
  }

  /**
   * Connects to the socket at `path` and checks the announcement.
   *
   * @throws {SystemError} nobody listens there
   * @throws {StreamTimeoutError} nobody answers in time
   * @throws {EndOfStreamError} the server hangs up instead
   * @throws {AttrError} the server speaks something else
   */
  static async connect(path: string, options: ConnectOptions): Promise<Channel> {
    const { protocol, timeoutMs, encoding = attr0, signal } = options
    const stream = await connectStream(
      { family: 'unix', path },
      signal === undefined ? { timeoutMs } : { timeoutMs, signal },
    )
    const channel = new Channel(stream, encoding)
    try {
      await channel.untilAbort(signal, async () => channel.expectAnnouncement(protocol))
    } catch (error) {
      stream.close()
      throw error
    }
    return channel
  }

  /** The server's first words. `extra` follows the protocol in the same list. */
  announce(protocol: string, extra: AttrList = []): void {
    const first: Attr = ['protocol', protocol]
    this.stream.write(this.#encoding.encode([first, ...extra]))
  }

  /** Reads the announcement; what follows the protocol is then in `announced`. @throws as connect() */
  async expectAnnouncement(protocol: string): Promise<void> {
    const [first, ...rest] = await this.receiveReply()
    if (first?.[0] !== 'protocol' || first[1] !== protocol) {
      const found = first === undefined ? 'nothing' : `${first[0]}=${first[1]}`
      throw new AttrError(`Cannot accept announcement "${found.slice(0, 80)}": want ${protocol}`)
    }
    this.announced = rest
  }

  /**
   * Runs a conversation that an abort ends: it closes the channel, and with it every wait.
   *
   * @throws the reason of the signal, or what `talk` throws
   */
  async untilAbort<T>(signal: AbortSignal | undefined, talk: () => Promise<T>): Promise<T> {
    if (signal === undefined) return talk()
    signal.throwIfAborted()
    const abandon = (): void => {
      this.close()
    }
    signal.addEventListener('abort', abandon, { once: true })
    try {
      return await talk()
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', abandon)
    }
  }

  /** Queues octets; the stream sends them at the end of the turn or before the next wait. */
  send(encoded: string): void {
    this.stream.write(encoded)
  }

  /** Queues a list in the channel's own encoding. */
  sendList(attrs: AttrList): void {
    this.stream.write(this.#encoding.encode(attrs))
  }

  /**
   * The next list.
   *
   * @returns undefined when the peer ended, or was lost, before the first octet
   * @throws {AttrError} it ended inside the list, or the list is beyond a limit
   * @throws {StreamTimeoutError}
   */
  async receive(limits?: ListLimits): Promise<AttrList | undefined> {
    const { stream } = this
    if (stream.buffered.length === 0 && !(await this.untilInput())) return undefined
    const decoder = this.#encoding.decoder(limits)
    for (;;) {
      const taken = decoder.push(stream.buffered)
      if (taken > 0) stream.take(taken)
      if (decoder.isComplete) return decoder.attrs
      if (!(await stream.fill())) {
        throw new AttrError('Cannot receive attribute list: the peer ended in the middle of it')
      }
    }
  }

  /**
   * Waits for octets, if none are buffered.
   *
   * @returns false when the peer has gone. One that leaves without reading what we announced makes this an error for
   *   the kernel, but not for us
   */
  async untilInput(): Promise<boolean> {
    if (this.stream.buffered.length > 0) return true
    try {
      return await this.stream.fill()
    } catch (error) {
      if (error instanceof EndOfStreamError) return false
      throw error
    }
  }

  /** As receive(), for a client that has asked for a reply. @throws {EndOfStreamError} none comes */
  async receiveReply(limits?: ListLimits): Promise<AttrList> {
    const attrs = await this.receive(limits)
    if (attrs === undefined) throw new EndOfStreamError('Cannot receive reply: the peer hung up')
    return attrs
  }

  close(): void {
    this.stream.close()
  }
}
