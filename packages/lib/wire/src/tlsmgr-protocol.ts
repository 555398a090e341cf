/**
 * tlsmgr-protocol - TLS sessions and ticket keys that processes share by way of tlsmgr(8)
 *
 *     S>C  { protocol }
 *     C>S  { request, ... }   S>C  { status, ... }     any number of times
 *
 * Sessions and their ids are opaque to the server. No answer is a reason to do without: a session that cannot be found costs
 * a full handshake.
 * Source: Postfix 3.7 tlsmgr(8).
 */
import { log } from '@posthorn/log/log'
import type { AttrList } from './attr-list.ts'
import {
  data,
  defineList,
  defineRequest,
  int,
  requestName,
  text,
  type RequestOf,
} from './attr-schema.ts'
import { PersistentClient, type ServiceClientOptions } from './service-client.ts'
import { ServiceError } from './wire-error.ts'

export const tlsmgrProtocol = 'tlsmgr_protocol'

/** `failed`: malformed, unknown cache type, or that cache is not configured. */
export const TLSMGR_STATUS = { ok: 0, notFound: -1, failed: -2 } as const

/** Octets from the generator: 1 to 255. */
export const SeedRequest = defineRequest('seed', { size: int('size') })
export const PolicyRequest = defineRequest('policy', { cacheType: text('cache_type') })
export const LookupRequest = defineRequest('lookup', {
  cacheType: text('cache_type'),
  cacheId: text('cache_id'),
})
export const UpdateRequest = defineRequest('update', {
  cacheType: text('cache_type'),
  cacheId: text('cache_id'),
  session: data('session'),
})
export const DeleteRequest = defineRequest('delete', {
  cacheType: text('cache_type'),
  cacheId: text('cache_id'),
})
/** The current key for an empty name, else that with this name of 16 octets. */
export const TicketKeyRequest = defineRequest('tktkey', { keyName: data('keyname') })

export type TlsmgrRequest =
  | RequestOf<typeof SeedRequest>
  | RequestOf<typeof PolicyRequest>
  | RequestOf<typeof LookupRequest>
  | RequestOf<typeof UpdateRequest>
  | RequestOf<typeof DeleteRequest>
  | RequestOf<typeof TicketKeyRequest>

export const TlsmgrStatusReply = defineList({ status: int('status') })
export const SeedReply = defineList({ status: int('status'), seed: data('seed') })
export const PolicyReply = defineList({
  status: int('status'),
  /** 1: there is a cache; 0: there is none */
  isCachable: int('cachable'),
  /** Seconds that a session lives; 0: neither caches nor tickets. */
  timeoutSeconds: int('timeout'),
})
export const SessionReply = defineList({ status: int('status'), session: data('session') })
export const TicketKeyReply = defineList({ status: int('status'), key: data('keybuf') })

/**
 * @returns undefined for a request that tlsmgr(8) does not know: it gets no reply
 * @throws {AttrError} missing, extra or malformed attributes: the reply is status `failed`
 */
export function parseTlsmgrRequest(attrs: AttrList): TlsmgrRequest | undefined {
  switch (requestName(attrs)) {
    case SeedRequest.request:
      return SeedRequest.parse(attrs)
    case PolicyRequest.request:
      return PolicyRequest.parse(attrs)
    case LookupRequest.request:
      return LookupRequest.parse(attrs)
    case UpdateRequest.request:
      return UpdateRequest.parse(attrs)
    case DeleteRequest.request:
      return DeleteRequest.parse(attrs)
    case TicketKeyRequest.request:
      return TicketKeyRequest.parse(attrs)
    default:
      return undefined
  }
}

const emptyReplies: Record<string, (status: number) => string> = {
  seed: (status) => SeedReply.encode({ status, seed: '' }),
  policy: (status) => PolicyReply.encode({ status, isCachable: 0, timeoutSeconds: 0 }),
  lookup: (status) => SessionReply.encode({ status, session: '' }),
  tktkey: (status) => TicketKeyReply.encode({ status, key: '' }),
}

/** The reply without anything in it; what it looks like depends on the request. */
export function encodeTlsmgrFailure(request: string | undefined, status: number): string {
  const encode = request === undefined ? undefined : emptyReplies[request]
  return encode?.(status) ?? TlsmgrStatusReply.encode({ status })
}

export interface TlsSessionPolicy {
  readonly isCachable: boolean
  readonly timeoutSeconds: number
}

/** The sessions of one kind of program (smtpd, smtp, lmtp): what TLS engines know as their session store. */
export interface TlsmgrSessions {
  readonly policy: () => Promise<TlsSessionPolicy | undefined>
  readonly lookup: (cacheId: string) => Promise<string | undefined>
  readonly update: (cacheId: string, session: string) => Promise<void>
  readonly delete: (cacheId: string) => Promise<void>
}

/** A service that cannot be reached has nothing: no method rejects. After a failure it is left alone for this long. */
const silenceMs = 60_000

export class TlsmgrClient {
  readonly #client: PersistentClient
  #silentUntilMs = 0

  constructor(options: Omit<ServiceClientOptions, 'protocol' | 'encoding'>) {
    this.#client = new PersistentClient({ ...options, protocol: tlsmgrProtocol })
  }

  sessions(cacheType: string): TlsmgrSessions {
    return {
      policy: async () => {
        const reply = await this.#ask(PolicyRequest.encode({ cacheType }), PolicyReply.parse)
        if (reply?.status !== TLSMGR_STATUS.ok) return undefined
        return { isCachable: reply.isCachable !== 0, timeoutSeconds: reply.timeoutSeconds }
      },
      lookup: async (cacheId) => {
        const reply = await this.#ask(
          LookupRequest.encode({ cacheType, cacheId }),
          SessionReply.parse,
        )
        return reply?.status === TLSMGR_STATUS.ok ? reply.session : undefined
      },
      update: async (cacheId, session) => {
        await this.#ask(
          UpdateRequest.encode({ cacheType, cacheId, session }),
          TlsmgrStatusReply.parse,
        )
      },
      delete: async (cacheId) => {
        await this.#ask(DeleteRequest.encode({ cacheType, cacheId }), TlsmgrStatusReply.parse)
      },
    }
  }

  /** Octets from the generator of tlsmgr(8), `size` of them: 1 to 255. */
  async seed(size: number): Promise<string | undefined> {
    const reply = await this.#ask(SeedRequest.encode({ size }), SeedReply.parse)
    return reply?.status === TLSMGR_STATUS.ok ? reply.seed : undefined
  }

  /** As it travels: the current key for an empty name, else that with this name. */
  async ticketKey(keyName: string): Promise<string | undefined> {
    const reply = await this.#ask(TicketKeyRequest.encode({ keyName }), TicketKeyReply.parse)
    return reply?.status === TLSMGR_STATUS.ok ? reply.key : undefined
  }

  close(): void {
    this.#client.close()
  }

  async #ask<T>(request: string, parse: (reply: AttrList) => T): Promise<T | undefined> {
    if (Date.now() < this.#silentUntilMs) return undefined
    try {
      return await this.#client.ask(request, parse)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      if (Date.now() >= this.#silentUntilMs) log.warning(error.message)
      this.#silentUntilMs = Date.now() + silenceMs
      return undefined
    }
  }
}
