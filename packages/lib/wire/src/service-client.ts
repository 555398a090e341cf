/**
 * service-client - asking another daemon: once, or again and again on connections that are kept
 *
 * oneShot() is for services that take one request per connection. A PersistentClient keeps connections to a service
 * that takes many. A connection carries one request at a time; as one process of ours serves many clients, a
 * PersistentClient opens a few, up to `maxConnections`, and further callers wait their turn. An idle connection is
 * closed after `idleMs`, after `ttlMs` in any case, and when the server hangs up or says anything unasked.
 *
 * A conversation that fails on a kept connection is repeated at once on a new one: the server may have left
 * meanwhile. One that fails on a new connection is repeated after `retryDelayMs`: once, and after that for as long as
 * `retryForMs` since the first try have not passed. Then the caller gets a ServiceError, and defers.
 *
 * Source: Postfix 3.7 client streams and "auto" clients. Those of the real rewrite, verify and proxymap services try
 * for ever; ours serve many clients at once, so we give up and defer (rule 6 of the house).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { log } from '@posthorn/log/log'
import { errorReason, SystemError } from '@posthorn/native/system-error'
import { EndOfStreamError } from '@posthorn/stream/byte-stream'
import { scheduleDeadline } from '@posthorn/stream/deadline-timer'
import type { AttrList, ListEncoding } from './attr-list.ts'
import { Channel, type ConnectOptions } from './channel.ts'
import { ServiceError } from './wire-error.ts'

/**
 * Connects, sends one list and reads one.
 *
 * @throws whatever Channel.connect() and Channel.receiveReply() throw; nothing is tried twice
 */
export async function oneShot(
  path: string,
  encoded: string,
  options: ConnectOptions,
): Promise<AttrList> {
  const channel = await Channel.connect(path, options)
  try {
    return await channel.untilAbort(options.signal, async () => {
      channel.send(encoded)
      return channel.receiveReply()
    })
  } finally {
    channel.close()
  }
}

export interface ServiceClientOptions {
  /** as in `private/rewrite` */
  readonly path: string
  readonly protocol: string
  /** for each wait within a conversation */
  readonly timeoutMs: number
  /** 0: no limit */
  readonly idleMs?: number
  /** 0: no limit */
  readonly ttlMs?: number
  readonly maxConnections?: number
  readonly retryDelayMs?: number
  /** 0: a conversation is tried twice and no more */
  readonly retryForMs?: number
  readonly encoding?: ListEncoding
}

export interface ConverseOptions {
  readonly signal?: AbortSignal | undefined
  /** Asked after a failure; false when the conversation cannot be repeated. */
  readonly mayRepeat?: () => boolean
}

/** All clients of a process wait for the same service: one line for all of them. */
const reportIntervalMs = 10_000

interface Connection {
  readonly channel: Channel
  readonly openedAtMs: number
  idleSinceMs: number
  isKept: boolean
}

export class PersistentClient {
  readonly #options: Required<Omit<ServiceClientOptions, 'encoding'>>
  readonly #encoding: ListEncoding | undefined
  /** the most recently used last */
  readonly #idle: Connection[] = []
  readonly #waiting: (() => void)[] = []
  #openCount = 0
  #sweep: { cancel: () => void } | undefined
  #isClosed = false
  #reportedAtMs = 0

  constructor(options: ServiceClientOptions) {
    this.#options = {
      idleMs: 5_000,
      ttlMs: 1_000_000,
      maxConnections: 4,
      retryDelayMs: 1_000,
      retryForMs: 0,
      ...options,
    }
    this.#encoding = options.encoding
  }

  /**
   * Sends a list and returns what `parse` makes of the reply; a reply that it refuses counts as a failure.
   *
   * @throws {ServiceError} the service could not be asked
   */
  async ask<T>(
    encoded: string,
    parse: (reply: AttrList) => T,
    options: ConverseOptions = {},
  ): Promise<T> {
    return this.converse(async (channel) => {
      channel.send(encoded)
      return parse(await channel.receiveReply())
    }, options)
  }

  /**
   * Runs a conversation on a connection of its own. When `talk` resolves, the connection is kept for others (unless
   * `talk` closed it); when it throws, the connection is closed.
   *
   * @throws {ServiceError} no try succeeded; `cause` is the last failure
   */
  async converse<T>(
    talk: (channel: Channel) => Promise<T>,
    options: ConverseOptions = {},
  ): Promise<T> {
    const { signal, mayRepeat } = options
    const { path, retryDelayMs, retryForMs } = this.#options
    const startedAtMs = Date.now()
    for (let failures = 0; ;) {
      signal?.throwIfAborted()
      const kept = this.#takeIdle()
      try {
        const connection = kept ?? (await this.#open(signal))
        return await this.#talkOn(connection, talk, signal)
      } catch (error) {
        signal?.throwIfAborted()
        if (kept === undefined) failures += 1
        const isLate = failures > 1 && Date.now() - startedAtMs >= retryForMs
        if (this.#isClosed || isLate || mayRepeat?.() === false) {
          throw new ServiceError(`Cannot talk to service ${path}: ${errorReason(error)}`, {
            cause: error,
          })
        }
        if (kept === undefined) {
          this.#reportTrouble(error)
          await sleep(retryDelayMs, undefined, signal === undefined ? {} : { signal })
        }
      }
    }
  }

  /** Closes the idle connections; those in use are closed when their conversation ends. */
  close(): void {
    this.#isClosed = true
    this.#sweep?.cancel()
    this.#sweep = undefined
    for (const connection of this.#idle.splice(0)) this.#discard(connection)
  }

  async #talkOn<T>(
    connection: Connection,
    talk: (channel: Channel) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { channel } = connection
    let isDone = false
    try {
      const result = await channel.untilAbort(signal, async () => talk(channel))
      isDone = true
      return result
    } finally {
      if (isDone) this.#release(connection)
      else this.#discard(connection)
    }
  }

  /** Now and then. An end of file needs no words: the server may have come to its end of life. */
  #reportTrouble(error: unknown): void {
    const now = Date.now()
    if (error instanceof EndOfStreamError || now - this.#reportedAtMs < reportIntervalMs) return
    this.#reportedAtMs = now
    const { path } = this.#options
    if (error instanceof SystemError && error.syscall === 'connect') {
      log.warning(`connect to ${path}: ${error.reason}`)
    } else {
      log.warning(`problem talking to service ${path}: ${errorReason(error)}`)
    }
  }

  #takeIdle(): Connection | undefined {
    const connection = this.#idle.pop()
    if (connection === undefined) return undefined
    connection.isKept = false
    if (connection.channel.stream.isOpen) return connection
    this.#discard(connection)
    return this.#takeIdle()
  }

  async #open(signal: AbortSignal | undefined): Promise<Connection> {
    while (this.#openCount >= this.#options.maxConnections) {
      await this.#turn(signal)
      const kept = this.#takeIdle()
      if (kept !== undefined) return kept
    }
    this.#openCount += 1
    try {
      const { path, protocol, timeoutMs } = this.#options
      const encoding = this.#encoding
      const channel = await Channel.connect(path, { protocol, timeoutMs, encoding, signal })
      const now = Date.now()
      return { channel, openedAtMs: now, idleSinceMs: now, isKept: false }
    } catch (error) {
      this.#openCount -= 1
      this.#waiting.shift()?.()
      throw error
    }
  }

  /** Resolves when a connection was released or closed. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const wake = (): void => {
      resolve(undefined)
    }
    const leave = (): void => {
      const at = this.#waiting.indexOf(wake)
      if (at === -1) this.#waiting.shift()?.()
      else this.#waiting.splice(at, 1)
      wake()
    }
    this.#waiting.push(wake)
    signal?.addEventListener('abort', leave, { once: true })
    await promise
    signal?.removeEventListener('abort', leave)
    signal?.throwIfAborted()
  }

  #release(connection: Connection): void {
    const { stream } = connection.channel
    const now = Date.now()
    const { ttlMs } = this.#options
    const isSpent = ttlMs > 0 && now - connection.openedAtMs >= ttlMs
    if (this.#isClosed || isSpent || !stream.isOpen || stream.buffered.length > 0) {
      this.#discard(connection)
      return
    }
    connection.idleSinceMs = now
    connection.isKept = true
    this.#idle.push(connection)
    stream.watchHangup(() => {
      if (!connection.isKept) return
      this.#idle.splice(this.#idle.indexOf(connection), 1)
      this.#discard(connection)
    })
    if (this.#sweep === undefined) this.#sweepLater()
    this.#waiting.shift()?.()
  }

  #discard(connection: Connection): void {
    connection.isKept = false
    this.#openCount -= 1
    connection.channel.close()
    this.#waiting.shift()?.()
  }

  /** One deadline for all idle connections, however often they are used. */
  #sweepLater(): void {
    const next = Math.min(...this.#idle.map((connection) => this.#expiry(connection)))
    if (this.#sweep !== undefined || next === Infinity) return
    this.#sweep = scheduleDeadline(next, () => {
      this.#sweep = undefined
      const now = Date.now()
      for (const connection of [...this.#idle]) {
        if (this.#expiry(connection) > now) continue
        this.#idle.splice(this.#idle.indexOf(connection), 1)
        this.#discard(connection)
      }
      this.#sweepLater()
    })
  }

  /** When this idle connection is to be closed. */
  #expiry(connection: Connection): number {
    const { idleMs, ttlMs } = this.#options
    return Math.min(
      idleMs === 0 ? Infinity : connection.idleSinceMs + idleMs,
      ttlMs === 0 ? Infinity : connection.openedAtMs + ttlMs,
    )
  }
}
