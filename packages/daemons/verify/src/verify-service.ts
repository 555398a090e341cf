/**
 * verify-service - the requests of verify(8)
 *
 * A query is answered from the cache at once; a probe that it calls for is posted afterwards. A malformed request costs
 * the connection, an unknown one gets a status.
 *
 * Limits: at most 100 probes are being posted at a time; a query beyond that posts none, and a later one will.
 * Source: Postfix 3.7 verify(8).
 */
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { printable } from '@posthorn/log/printable'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import {
  parseVerifyRequest,
  RECIPIENT_STATUS,
  VERIFY_STATUS,
  verifyProtocol,
  VerifyQueryReply,
  VerifyUpdateReply,
  type VerifyRequest,
} from '@posthorn/wire/verify-protocol'
import type { AddressCache } from './address-cache.ts'

/** Posts a probe. @throws when that fails */
export type Probe = (address: string) => Promise<void>

const postingLimit = 100

export class VerifyService {
  readonly #cache: AddressCache
  readonly #probe: Probe
  readonly #posting = new Set<string>()

  constructor(cache: AddressCache, probe: Probe) {
    this.#cache = cache
    this.#probe = probe
  }

  /** One client, until it hangs up. @throws {AttrError} for a malformed request */
  async serve(stream: ByteStream): Promise<void> {
    const channel = new Channel(stream)
    channel.announce(verifyProtocol)
    for (;;) {
      const attrs = await channel.receive()
      if (attrs === undefined) return
      const request = parseVerifyRequest(attrs)
      if (request === undefined) {
        log.warning(`unrecognized request: "${attrs[0]?.[1] ?? ''}", ignored`)
        channel.send(VerifyUpdateReply.encode({ status: VERIFY_STATUS.bad }))
      } else {
        channel.send(this.#answer(request))
      }
    }
  }

  #answer(request: VerifyRequest): string {
    // a colon would be taken for the end of a table type in some tables
    const key = request.address.replaceAll(':', '_')
    if (request.request === 'update') {
      return VerifyUpdateReply.encode({
        status: this.#update(key, request.recipientStatus, request.reason),
      })
    }
    const { status, text, needsProbe } = this.#cache.query(key)
    if (needsProbe) this.#startProbe(key)
    return VerifyQueryReply.encode({
      status: VERIFY_STATUS.ok,
      recipientStatus: status,
      reason: text,
    })
  }

  #update(key: string, status: number, text: string): number {
    if (status < RECIPIENT_STATUS.ok || status > RECIPIENT_STATUS.bounced) {
      log.warning(`bad recipient status ${status} for recipient ${key}`)
      return VERIFY_STATUS.bad
    }
    this.#cache.update(key, status, printable(text.slice(0, 2000)))
    return VERIFY_STATUS.ok
  }

  #startProbe(key: string): void {
    if (this.#posting.has(key) || this.#posting.size >= postingLimit) return
    this.#posting.add(key)
    const sentAtSeconds = this.#cache.probeSent(key)
    this.#probe(key)
      .catch((error: unknown) => {
        this.#cache.probeFailed(key, sentAtSeconds)
        log.warning(`cannot post address probe for ${key}: ${errorReason(error)}`)
      })
      .finally(() => {
        this.#posting.delete(key)
      })
  }
}
