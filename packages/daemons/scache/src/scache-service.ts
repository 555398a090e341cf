/**
 * scache-service - the cache with its clients, its timers, its statistics and its log lines
 *
 * Expired connections are closed once a second while there are any; statistics are logged every
 * connection_cache_status_update_time and at the end of the process.
 *
 * Limits: a client that has begun a request has `requestTimeoutMs` for each step of it, and three times that for all. When there
 * are more clients than the descriptors of the process allow, the one that has been idle for longest is hung up on: clients
 * connect anew when they have something to say.
 */
import { log } from '@posthorn/log/log'
import type { Descriptor } from '@posthorn/native/descriptor'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { scacheProtocol } from '@posthorn/wire/scache-protocol'
import { answer } from './answer.ts'
import { CacheStatistics } from './cache-statistics.ts'
import { ConnectionCache } from './connection-cache.ts'
import type { DescriptorBudget } from './descriptor-budget.ts'

/** No request has more steps in which the server waits for its client. */
const STEPS = 3

export interface ScacheOptions {
  readonly ttlLimitSeconds: number
  readonly statusUpdateSeconds: number
  readonly requestTimeoutMs: number
  readonly budget: DescriptorBudget
}

export class ScacheService {
  readonly cache: ConnectionCache<Descriptor>
  readonly statistics = new CacheStatistics(Date.now())
  readonly #requestTimeoutMs: number
  readonly #budget: DescriptorBudget
  readonly #reporter: NodeJS.Timeout | undefined
  /** Between two requests; the one that has been so for longest first. */
  readonly #idle = new Set<ByteStream>()
  #clientCount = 0
  #sweeper: NodeJS.Timeout | undefined

  constructor({ ttlLimitSeconds, statusUpdateSeconds, requestTimeoutMs, budget }: ScacheOptions) {
    this.cache = new ConnectionCache({ ttlLimitSeconds })
    this.#requestTimeoutMs = requestTimeoutMs
    this.#budget = budget
    if (statusUpdateSeconds > 0) {
      this.#reporter = setInterval(() => {
        this.#report()
      }, statusUpdateSeconds * 1000).unref()
    }
  }

  /** With so many clients as there are. */
  get connectionLimit(): number {
    return this.#budget.connectionLimit(this.#clientCount)
  }

  /** One client, until it hangs up. @throws {AttrError | StreamTimeoutError} its connection must be closed */
  async serve(stream: ByteStream): Promise<void> {
    this.#clientCount += 1
    try {
      this.#makeRoom()
      await this.#converse(stream)
    } finally {
      this.#clientCount -= 1
    }
  }

  async #converse(stream: ByteStream): Promise<void> {
    const channel = new Channel(stream)
    const idleTimeoutMs = stream.timeoutMs
    channel.announce(scacheProtocol)
    for (;;) {
      if (!(await this.#untilRequest(channel))) return
      stream.timeoutMs = this.#requestTimeoutMs
      stream.deadlineMs = Date.now() + STEPS * this.#requestTimeoutMs
      const attrs = await channel.receive()
      if (attrs === undefined) return
      await answer(this, channel, attrs)
      this.#sweepWhileNeeded()
      stream.timeoutMs = idleTimeoutMs
      stream.deadlineMs = 0
    }
  }

  async #untilRequest(channel: Channel): Promise<boolean> {
    const { stream } = channel
    this.#idle.add(stream)
    try {
      return await channel.untilInput()
    } finally {
      this.#idle.delete(stream)
    }
  }

  /** For the client that has just come. */
  #makeRoom(): void {
    if (this.#clientCount > this.#budget.clientLimit) {
      const [longest] = this.#idle
      longest?.close()
    }
    this.statistics.countEarly(this.cache.keepAtMost(this.connectionLimit))
  }

  stop(): void {
    clearInterval(this.#reporter)
    clearInterval(this.#sweeper)
    this.#report()
    this.cache.closeAll()
  }

  #report(): void {
    for (const line of this.statistics.report(Date.now())) log.info(line)
  }

  #sweepWhileNeeded(): void {
    if (this.#sweeper !== undefined || this.cache.isEmpty) return
    this.#sweeper = setInterval(() => {
      this.cache.dropExpired()
      if (!this.cache.isEmpty) return
      clearInterval(this.#sweeper)
      this.#sweeper = undefined
    }, 1000).unref()
  }
}
