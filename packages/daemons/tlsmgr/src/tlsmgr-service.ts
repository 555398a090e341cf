/**
 * tlsmgr-service - the requests of tlsmgr(8)
 *
 * Many requests per connection. A malformed request gets status `failed`, one of an unknown name no reply, and the trigger
 * `W` in place of a request wakes a process that is awake already. What expires is dropped when it is asked for, and in any case once a minute.
 *
 * Source: Postfix 3.7 tlsmgr(8).
 */
import { randomBytes } from 'node:crypto'
import { log } from '@posthorn/log/log'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import type { AttrList } from '@posthorn/wire/attr-list'
import { requestName } from '@posthorn/wire/attr-schema'
import { Channel } from '@posthorn/wire/channel'
import {
  encodeTlsmgrFailure,
  parseTlsmgrRequest,
  PolicyReply,
  SeedReply,
  SessionReply,
  TicketKeyReply,
  TLSMGR_STATUS,
  tlsmgrProtocol,
  TlsmgrStatusReply,
  type TlsmgrRequest,
} from '@posthorn/wire/tlsmgr-protocol'
import { AttrError } from '@posthorn/wire/wire-error'
import type { SessionCache } from './session-cache.ts'
import type { TicketKeys } from './ticket-keys.ts'

/** What is kept for one kind of program: smtpd, smtp, lmtp. */
export interface CacheType {
  /** 0: neither sessions nor tickets. */
  readonly lifeSeconds: number
  /** undefined: programs have to remember sessions themselves. */
  readonly cache: SessionCache | undefined
  /** Log what comes and goes: loglevel 2 and above. */
  readonly isLogged: boolean
}

const { ok, notFound, failed } = TLSMGR_STATUS
const seedLimit = 255
const keyNameOctets = 16
const sweepMs = 60_000

export class TlsmgrService {
  readonly #types: ReadonlyMap<string, CacheType>
  readonly #keys: TicketKeys | undefined
  readonly #sweeper: NodeJS.Timeout

  /** `keys`: undefined when smtpd(8) is to issue no tickets. */
  constructor(types: ReadonlyMap<string, CacheType>, keys: TicketKeys | undefined) {
    this.#types = types
    this.#keys = keys
    this.#sweeper = setInterval(() => {
      for (const { cache } of types.values()) cache?.dropExpired()
    }, sweepMs).unref()
  }

  /** One client, until it hangs up. @throws {AttrError} it sent no list at all */
  async serve(stream: ByteStream): Promise<void> {
    const channel = new Channel(stream)
    channel.announce(tlsmgrProtocol)
    while (await channel.untilInput()) {
      if (isTrigger(stream.buffered)) return
      const attrs = await channel.receive()
      if (attrs === undefined) return
      const reply = this.#answer(attrs)
      if (reply !== undefined) channel.send(reply)
    }
  }

  stop(): void {
    clearInterval(this.#sweeper)
  }

  #answer(attrs: AttrList): string | undefined {
    const name = requestName(attrs)
    const request = name === undefined ? 'malformed' : parse(attrs)
    if (request === undefined) {
      log.warning(`unrecognized tlsmgr request: "${name}"`)
      return undefined
    }
    const reply = request === 'malformed' ? undefined : this.#serveRequest(request)
    return reply ?? encodeTlsmgrFailure(name, failed)
  }

  /** @returns undefined: the request cannot be served, whatever is stored */
  #serveRequest(request: TlsmgrRequest): string | undefined {
    switch (request.request) {
      case 'seed':
        return seed(request.size)
      case 'policy':
        return this.#policy(request)
      case 'tktkey':
        return this.#ticketKey(request.keyName)
      case 'lookup':
      case 'update':
      case 'delete':
        return this.#session(request)
    }
  }

  #policy(request: TlsmgrRequest & { request: 'policy' }): string | undefined {
    const type = this.#type(request)
    if (type === undefined) return undefined
    const isCachable = type.cache === undefined ? 0 : 1
    return PolicyReply.encode({ status: ok, isCachable, timeoutSeconds: type.lifeSeconds })
  }

  #ticketKey(keyName: string): string | undefined {
    if (keyName !== '' && keyName.length !== keyNameOctets) {
      log.warning(`invalid session ticket key name length: ${keyName.length}`)
      return undefined
    }
    const key = keyName === '' ? this.#keys?.current() : this.#keys?.find(keyName)
    return TicketKeyReply.encode({ status: key === undefined ? notFound : ok, key: key ?? '' })
  }

  #session(
    request: TlsmgrRequest & { request: 'lookup' | 'update' | 'delete' },
  ): string | undefined {
    const type = this.#type(request)
    const cache = type?.cache
    if (type === undefined || cache === undefined) return undefined
    const { cacheId } = request
    const note = (words: string): void => {
      if (type.isLogged) log.info(words)
    }
    switch (request.request) {
      case 'lookup': {
        note(`lookup ${request.cacheType} session id=${cacheId}`)
        const session = cache.find(cacheId)
        const status = session === undefined ? notFound : ok
        return SessionReply.encode({ status, session: session ?? '' })
      }
      case 'update':
        note(
          `put ${request.cacheType} session id=${cacheId} ` +
            `[data ${request.session.length} bytes]`,
        )
        cache.set(cacheId, request.session)
        return TlsmgrStatusReply.encode({ status: ok })
      case 'delete': {
        note(`delete ${request.cacheType} session id=${cacheId}`)
        return TlsmgrStatusReply.encode({ status: cache.delete(cacheId) ? ok : notFound })
      }
    }
  }

  #type({ request, cacheType }: { request: string; cacheType: string }): CacheType | undefined {
    const type = this.#types.get(cacheType)
    if (type === undefined) log.warning(`bogus cache type "${cacheType}" in "${request}" request`)
    return type
  }
}

function seed(size: number): string | undefined {
  if (size < 1 || size > seedLimit) {
    log.warning(`bogus seed length "${size}" in "seed" request`)
    return undefined
  }
  return SeedReply.encode({ status: ok, seed: randomBytes(size).toString('latin1') })
}

/** master(8) wakes services up with one or two octets, and no list is that short. */
function isTrigger(octets: string): boolean {
  return octets.length <= 2 && octets.startsWith('W')
}

function parse(attrs: AttrList): TlsmgrRequest | 'malformed' | undefined {
  try {
    return parseTlsmgrRequest(attrs)
  } catch (error) {
    if (!(error instanceof AttrError)) throw error
    log.warning(error.message)
    return 'malformed'
  }
}
