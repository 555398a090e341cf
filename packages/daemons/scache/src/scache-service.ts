/**
 * scache-service - the cache with its timers, its statistics and its log lines
 *
 * Expired connections are closed once a second while there are any; statistics are logged every
 * connection_cache_status_update_time and at the end of the process.
 */
import { log } from '@posthorn/log/log'
import type { Descriptor } from '@posthorn/native/descriptor'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { scacheProtocol } from '@posthorn/wire/scache-protocol'
import { answer } from './answer.ts'
import { CacheStatistics } from './cache-statistics.ts'
import { ConnectionCache } from './connection-cache.ts'

export interface ScacheOptions {
  readonly ttlLimitSeconds: number
  readonly statusUpdateSeconds: number
}

export class ScacheService {
  readonly cache: ConnectionCache<Descriptor>
  readonly statistics = new CacheStatistics(Date.now())
  readonly #reporter: NodeJS.Timeout | undefined
  #sweeper: NodeJS.Timeout | undefined

  constructor({ ttlLimitSeconds, statusUpdateSeconds }: ScacheOptions) {
    this.cache = new ConnectionCache({ ttlLimitSeconds })
    if (statusUpdateSeconds > 0) {
      this.#reporter = setInterval(() => {
        this.#report()
      }, statusUpdateSeconds * 1000).unref()
    }
  }

  /** One client, until it hangs up. @throws {AttrError} what it sent is no request at all */
  async serve(stream: ByteStream): Promise<void> {
    const channel = new Channel(stream)
    channel.announce(scacheProtocol)
    for (;;) {
      const attrs = await channel.receive()
      if (attrs === undefined) return
      await answer(this, channel, attrs)
      this.#sweepWhileNeeded()
    }
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
