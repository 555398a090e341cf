/**
 * flush-service - the requests of flush(8)
 *
 * One request per connection: an attribute list, or the trigger `W` in its place. A refresh or purge is answered first
 * and done afterwards. The server trusts nobody: a site is a file name only after siteLogName(), a queue id only
 * after findQueueId().
 *
 * Source: Postfix 3.7 flush(8).
 */
import { stat, unlink } from 'node:fs/promises'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { findQueueId } from '@posthorn/queue/queue-id'
import type { QueueLayout } from '@posthorn/queue/queue-layout'
import { hasCode } from '@posthorn/queue/queue-move'
import { scanDirectory } from '@posthorn/queue/queue-scan'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import {
  FLUSH_STATUS,
  FlushReply,
  flushProtocol,
  parseFlushRequest,
  type FlushRequest,
} from '@posthorn/wire/flush-protocol'
import { qmgrTrigger, trigger } from '@posthorn/wire/trigger'
import { AttrError } from '@posthorn/wire/wire-error'
import { expediteMessage } from './expedite.ts'
import { appendToSiteLog, emptySiteLog, siteLogName } from './site-log.ts'

/** Is mail for this destination logged? @throws when the tables cannot tell */
export type IsEligible = (site: string) => Promise<boolean>

export interface FlushOptions {
  readonly layout: QueueLayout
  readonly isEligible: IsEligible
  /** a log that was not read for so long is refreshed */
  readonly refreshSeconds: number
  /** an empty log that was not written for so long is deleted */
  readonly purgeSeconds: number
  /** `public/qmgr` */
  readonly qmgrPath: string
  readonly triggerTimeoutMs: number
}

export class FlushService {
  readonly #options: FlushOptions

  constructor(options: FlushOptions) {
    this.#options = options
  }

  /** One client with one request. */
  async serve(stream: ByteStream): Promise<void> {
    const channel = new Channel(stream)
    channel.announce(flushProtocol)
    if (!(await channel.untilInput())) return
    if (stream.buffered.length <= 2) {
      if (stream.take(2).startsWith('W')) await this.#refresh(this.#options.refreshSeconds)
      return
    }
    const request = await readRequest(channel)
    if (request === undefined) return
    if (request === 'bad') {
      channel.send(FlushReply.encode({ status: FLUSH_STATUS.bad }))
      return
    }
    if (request.request === 'rfrsh' || request.request === 'purge') {
      channel.send(FlushReply.encode({ status: FLUSH_STATUS.ok }))
      await stream.flush()
      await this.#refresh(request.request === 'purge' ? 0 : this.#options.refreshSeconds)
      return
    }
    channel.send(FlushReply.encode({ status: await this.#answer(request) }))
  }

  /** @returns FLUSH_STATUS */
  async #answer(request: Exclude<FlushRequest, { request: 'rfrsh' | 'purge' }>): Promise<number> {
    try {
      switch (request.request) {
        case 'add':
          return await this.#add(request.site, request.queueId)
        case 'send_site':
          return await this.#sendSite(request.site)
        case 'send_file':
          return await this.#sendFile(request.queueId)
      }
    } catch (error) {
      log.warning(`cannot serve ${request.request} request: ${errorReason(error)}`)
      return FLUSH_STATUS.failed
    }
  }

  async #add(site: string, queueId: string): Promise<number> {
    const { isEligible, layout } = this.#options
    if (!(await isEligible(site))) return FLUSH_STATUS.denied
    const id = findQueueId(queueId)
    const name = siteLogName(site)
    if (id === undefined || name === '') return FLUSH_STATUS.bad
    await appendToSiteLog(layout, name, id)
    return FLUSH_STATUS.ok
  }

  async #sendSite(site: string): Promise<number> {
    const { isEligible, layout } = this.#options
    if (!(await isEligible(site))) return FLUSH_STATUS.denied
    const name = siteLogName(site)
    if (name === '') return FLUSH_STATUS.bad
    // dead destinations are forgotten before the messages come
    await this.#tellQmgr(qmgrTrigger.forgetDead)
    await this.#send(layout.path('flush', name))
    return FLUSH_STATUS.ok
  }

  async #sendFile(queueId: string): Promise<number> {
    const id = findQueueId(queueId)
    if (id === undefined) return FLUSH_STATUS.bad
    if (expediteMessage(this.#options.layout, id, { unthrottle: true })) {
      await this.#tellQmgr(qmgrTrigger.scanIncoming)
    }
    return FLUSH_STATUS.ok
  }

  async #send(path: string): Promise<void> {
    let count = 0
    await emptySiteLog(path, async (ids) => {
      for await (const id of ids) {
        if (expediteMessage(this.#options.layout, id, { unthrottle: false })) count += 1
        // other clients have their turn
        if (count % 100 === 99) await new Promise((resolve) => setImmediate(resolve))
      }
    })
    if (count > 0) await this.#tellQmgr(qmgrTrigger.scanIncoming)
  }

  /** Sends what waits in logs that were not read for `refreshSeconds`, and removes empty logs that nobody uses. */
  async #refresh(refreshSeconds: number): Promise<void> {
    const now = Date.now()
    for await (const { path } of scanDirectory('flush')) {
      try {
        const { size, atimeMs, mtimeMs } = await stat(path)
        if (size > 0) {
          if (atimeMs + refreshSeconds * 1000 <= now) await this.#send(path)
        } else if (mtimeMs + this.#options.purgeSeconds * 1000 <= now) {
          await unlink(path)
        }
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) log.warning(`cannot refresh ${path}: ${errorReason(error)}`)
      }
    }
  }

  async #tellQmgr(octets: string): Promise<void> {
    const { qmgrPath, triggerTimeoutMs } = this.#options
    try {
      await trigger(qmgrPath, octets, triggerTimeoutMs)
    } catch (error) {
      log.warning(`unable to look up ${qmgrPath}: ${errorReason(error)}`)
    }
  }
}

async function readRequest(channel: Channel): Promise<FlushRequest | 'bad' | undefined> {
  try {
    const attrs = await channel.receive()
    return attrs === undefined ? undefined : parseFlushRequest(attrs)
  } catch (error) {
    if (!(error instanceof AttrError)) throw error
    log.warning(error.message)
    return 'bad'
  }
}
