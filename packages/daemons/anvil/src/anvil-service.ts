/**
 * anvil-service - the requests of anvil(8), their replies and what is logged
 *
 * A malformed request costs the server that sent it its connection; an unknown one gets a status.
 */
import { log } from '@posthorn/log/log'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import {
  ANVIL_STATUS,
  AnvilConnectReply,
  AnvilLookupReply,
  anvilProtocol,
  AnvilRateReply,
  AnvilStatusReply,
  parseAnvilRequest,
  type AnvilRequest,
} from '@posthorn/wire/anvil-protocol'
import type { AttrList } from '@posthorn/wire/attr-list'
import { Channel } from '@posthorn/wire/channel'
import { plain } from '@posthorn/wire/plain-list'
import { ClientCounts, type RateKind, type Watcher } from './client-counts.ts'
import { PeakStatistics } from './peak-statistics.ts'

export interface AnvilOptions {
  readonly unitSeconds: number
  readonly statusUpdateSeconds: number
  /** the wall clock in ms */
  readonly now?: () => number
}

const status = ANVIL_STATUS.ok

export class AnvilService {
  readonly #counts: ClientCounts
  readonly #peaks: PeakStatistics
  readonly #now: () => number
  readonly #timers: NodeJS.Timeout[] = []

  constructor({ unitSeconds, statusUpdateSeconds, now = Date.now }: AnvilOptions) {
    this.#counts = new ClientCounts({ intervalMs: unitSeconds * 1000, now })
    this.#peaks = new PeakStatistics(unitSeconds)
    this.#now = now
    this.#every(unitSeconds, () => {
      this.#counts.forgetOld()
    })
    this.#every(statusUpdateSeconds, () => {
      this.#report()
    })
  }

  /** One server, until it hangs up. @throws {AttrError} for a malformed request */
  async serve(stream: ByteStream): Promise<void> {
    const channel = new Channel(stream, plain)
    const watcher: Watcher = { current: undefined }
    channel.announce(anvilProtocol)
    try {
      for (;;) {
        const attrs = await channel.receive()
        if (attrs === undefined) return
        channel.sendList(this.#answer(watcher, parseAnvilRequest(attrs)))
      }
    } finally {
      this.#counts.release(watcher)
    }
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#report()
  }

  #answer(watcher: Watcher, { request, ident }: AnvilRequest): AttrList {
    switch (request) {
      case 'connect': {
        const { count, rates } = this.#counts.connect(watcher, ident)
        this.#connected(ident, count, rates.connect)
        return AnvilConnectReply.format({ status, count, rate: rates.connect })
      }
      case 'disconnect':
        this.#counts.disconnect(watcher, ident)
        return AnvilStatusReply.format({ status })
      case 'message':
      case 'recipient':
      case 'newtls':
      case 'auth':
        return AnvilRateReply.format({ status, rate: this.#count(watcher, request, ident) })
      case 'newtls_status':
        return AnvilRateReply.format({ status, rate: this.#counts.find(ident).rates.newtls })
      case 'lookup': {
        const { count, rates } = this.#counts.find(ident)
        return AnvilLookupReply.format({
          status,
          count,
          rate: rates.connect,
          messageRate: rates.message,
          recipientRate: rates.recipient,
          newTlsRate: rates.newtls,
          authRate: rates.auth,
        })
      }
      default:
        log.warning(`unrecognized request: "${request}", ignored`)
        return AnvilStatusReply.format({ status: ANVIL_STATUS.failed })
    }
  }

  #count(watcher: Watcher, kind: RateKind, ident: string): number {
    const before = watcher.current
    const { count, rates } = this.#counts.count(watcher, kind, ident)
    // an unknown client has connected by this
    if (watcher.current !== before) this.#connected(ident, count, rates.connect)
    this.#peaks.raiseRate(kind, rates[kind], ident, this.#now())
    return rates[kind]
  }

  #connected(ident: string, count: number, rate: number): void {
    const now = this.#now()
    this.#peaks.raiseRate('connect', rate, ident, now)
    this.#peaks.raiseCount(count, ident, now)
    this.#peaks.raiseCacheSize(this.#counts.size, now)
  }

  #report(): void {
    for (const line of this.#peaks.report()) log.info(line)
  }

  #every(seconds: number, act: () => void): void {
    if (seconds > 0) this.#timers.push(setInterval(act, seconds * 1000).unref())
  }
}
