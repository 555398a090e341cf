/**
 * verify-protocol - asking verify(8) whether an address is deliverable, and telling it what a probe found
 *
 * Many requests per connection. A malformed request gets no reply.
 * Source: Postfix 3.7 verify(8).
 */
import type { AttrList } from './attr-list.ts'
import { statusFields } from './attr-groups.ts'
import { defineList, defineRequest, int, requestName, text, type RequestOf } from './attr-schema.ts'
import { PersistentClient, type ServiceClientOptions } from './service-client.ts'
import { AttrError } from './wire-error.ts'

/** The spelling on the wire. */
export const verifyProtocol = 'address_verification_prrotocol'

export const VERIFY_STATUS = { ok: 0, failed: -1, bad: -2 } as const

/** What is known about an address; `todo` is nothing yet. */
export const RECIPIENT_STATUS = { ok: 0, deferred: 1, bounced: 2, todo: 3 } as const

export const VerifyQuery = defineRequest('query', { address: text('address') })
export const VerifyUpdate = defineRequest('update', {
  address: text('address'),
  recipientStatus: int('recipient_status'),
  reason: text('reason'),
})

export type VerifyRequest = RequestOf<typeof VerifyQuery> | RequestOf<typeof VerifyUpdate>

export const VerifyQueryReply = defineList({
  ...statusFields,
  recipientStatus: int('recipient_status'),
  reason: text('reason'),
})
export const VerifyUpdateReply = defineList(statusFields)

/**
 * @returns undefined for a request that verify(8) does not know: the reply is status `bad`
 * @throws {AttrError} missing, extra, misplaced or malformed attributes
 */
export function parseVerifyRequest(attrs: AttrList): VerifyRequest | undefined {
  switch (requestName(attrs)) {
    case undefined:
      throw new AttrError('Cannot parse verify request: want the attribute request first')
    case VerifyQuery.request:
      return VerifyQuery.parse(attrs)
    case VerifyUpdate.request:
      return VerifyUpdate.parse(attrs)
    default:
      return undefined
  }
}

export interface VerifyAnswer {
  readonly status: number
  readonly recipientStatus: number
  readonly reason: string
}

export class VerifyClient {
  readonly #client: PersistentClient

  constructor(options: Omit<ServiceClientOptions, 'protocol' | 'encoding'>) {
    this.#client = new PersistentClient({
      retryForMs: 100_000,
      ...options,
      protocol: verifyProtocol,
    })
  }

  /** @throws {ServiceError} */
  async query(address: string, signal?: AbortSignal): Promise<VerifyAnswer> {
    return this.#client.ask(VerifyQuery.encode({ address }), VerifyQueryReply.parse, { signal })
  }

  /** @returns VERIFY_STATUS @throws {ServiceError} */
  async update(
    address: string,
    recipientStatus: number,
    reason: string,
    signal?: AbortSignal,
  ): Promise<number> {
    const request = VerifyUpdate.encode({ address, recipientStatus, reason })
    const reply = await this.#client.ask(request, VerifyUpdateReply.parse, { signal })
    return reply.status
  }

  close(): void {
    this.#client.close()
  }
}
