/**
 * rewrite-protocol - asking trivial-rewrite(8) how an address is written and where it goes
 *
 * Many requests per connection; one that is malformed costs the connection, without a reply.
 * The client remembers its recent replies for 30 seconds (a process of Postfix remembers the last one; ours does the
 * work of many, and remembers a hundred). A reply without a transport, or without a recipient for an address that is
 * not empty, is none: the client asks again.
 *
 * Limits: requests are repeated for 100 seconds, then the caller gets a ServiceError and defers.
 * Source: Postfix 3.7 trivial-rewrite(8).
 */
import type { AttrList } from './attr-list.ts'
import { defineList, defineRequest, int, requestName, text, type RequestOf } from './attr-schema.ts'
import { PersistentClient } from './service-client.ts'
import { AttrError } from './wire-error.ts'

export const rewriteProtocol = 'trivial_rewrite_protocol'

export const RESOLVE_FLAGS = {
  final: 1,
  /** the local part still contains routing: % ! @ */
  routed: 2,
  /** bad destination syntax */
  error: 4,
  /** the request could not be completed: a table failed */
  fail: 8,
  classLocal: 256,
  classVirtualAlias: 512,
  classVirtualMailbox: 1024,
  classRelay: 2048,
  classDefault: 4096,
} as const

/** The address in external (quoted) form; rule is `local` or `remote`. */
export const RewriteRequest = defineRequest('rewrite', {
  rule: text('rule'),
  address: text('address'),
})

/** The address in internal (unquoted) form. */
const resolveFields = { sender: text('sender'), address: text('address') }
export const ResolveRequest = defineRequest('resolve', resolveFields)
/** The same for address probes: address_verify_* instead of the transports for mail. */
export const ProbeResolveRequest = defineRequest('verify', resolveFields)

export type RewriteServiceRequest =
  | RequestOf<typeof RewriteRequest>
  | RequestOf<typeof ResolveRequest>
  | RequestOf<typeof ProbeResolveRequest>

/** serverFlags other than 0 tell the client to reconnect. */
export const RewriteReply = defineList({ serverFlags: int('flags'), address: text('address') })

export const ResolveReplyList = defineList({
  serverFlags: int('flags'),
  transport: text('transport'),
  nexthop: text('nexthop'),
  recipient: text('recipient'),
  flags: int('flags'),
})

export interface ResolveReply {
  readonly transport: string
  readonly nexthop: string
  /** internal form */
  readonly recipient: string
  /** RESOLVE_FLAGS */
  readonly flags: number
}

/** @throws {AttrError} unknown request, or attributes missing, extra, out of order or malformed */
export function parseRewriteRequest(attrs: AttrList): RewriteServiceRequest {
  const kind = requestName(attrs)
  switch (kind) {
    case RewriteRequest.request: {
      const request = RewriteRequest.parse(attrs)
      if (request.rule !== 'local' && request.rule !== 'remote') {
        throw new AttrError(
          `Cannot parse rule "${request.rule.slice(0, 40)}": want local or remote`,
        )
      }
      return request
    }
    case ResolveRequest.request:
      return ResolveRequest.parse(attrs)
    case ProbeResolveRequest.request:
      return ProbeResolveRequest.parse(attrs)
    default:
      throw new AttrError(
        `Cannot parse request "${kind?.slice(0, 40) ?? ''}": want rewrite, resolve or verify`,
      )
  }
}

const memoryMs = 30_000
const memoryLimit = 100

/** Replies by their request's octets; the oldest go first. */
class RecentReplies<T> {
  readonly #replies = new Map<string, { reply: T; untilMs: number }>()

  find(request: string): T | undefined {
    const entry = this.#replies.get(request)
    if (entry === undefined) return undefined
    if (entry.untilMs > Date.now()) return entry.reply
    this.#replies.delete(request)
    return undefined
  }

  keep(request: string, reply: T): void {
    this.#replies.delete(request)
    if (this.#replies.size >= memoryLimit) {
      const [oldest] = this.#replies.keys()
      if (oldest !== undefined) this.#replies.delete(oldest)
    }
    this.#replies.set(request, { reply, untilMs: Date.now() + memoryMs })
  }
}

export interface RewriteClientOptions {
  /** as in `private/rewrite` */
  readonly path: string
  readonly timeoutMs: number
  readonly idleMs?: number
  readonly ttlMs?: number
  readonly maxConnections?: number
  /** how long a request is repeated before the caller gets a ServiceError */
  readonly retryForMs?: number
}

export class RewriteClient {
  readonly #client: PersistentClient
  readonly #rewritten = new RecentReplies<string>()
  readonly #resolved = new RecentReplies<ResolveReply>()
  /** Asked and not answered yet: who asks the same waits for the same answer. */
  readonly #resolving = new Map<string, Promise<ResolveReply>>()

  constructor(options: RewriteClientOptions) {
    this.#client = new PersistentClient({
      retryForMs: 100_000,
      ...options,
      protocol: rewriteProtocol,
    })
  }

  /**
   * Completes an address, external form in and out.
   *
   * @throws {ServiceError}
   */
  async rewrite(rule: 'local' | 'remote', address: string, signal?: AbortSignal): Promise<string> {
    const request = RewriteRequest.encode({ rule, address })
    const known = this.#rewritten.find(request)
    if (known !== undefined) return known
    const reply = await this.#ask(request, RewriteReply.parse, signal)
    this.#rewritten.keep(request, reply.address)
    return reply.address
  }

  /** Where mail for an address goes, internal form in and out. @throws {ServiceError} */
  async resolve(sender: string, address: string, signal?: AbortSignal): Promise<ResolveReply> {
    return this.#resolve(ResolveRequest.encode({ sender, address }), address, signal)
  }

  /** Where a probe for an address goes. @throws {ServiceError} */
  async resolveProbe(sender: string, address: string, signal?: AbortSignal): Promise<ResolveReply> {
    return this.#resolve(ProbeResolveRequest.encode({ sender, address }), address, signal)
  }

  close(): void {
    this.#client.close()
  }

  async #resolve(
    request: string,
    address: string,
    signal: AbortSignal | undefined,
  ): Promise<ResolveReply> {
    const known = this.#resolved.find(request)
    if (known !== undefined) return known
    // an abort is its caller's alone
    if (signal !== undefined) return this.#askWay(request, address, signal)
    const asked = this.#resolving.get(request)
    if (asked !== undefined) return asked
    const answer = this.#askWay(request, address, signal).finally(() => {
      this.#resolving.delete(request)
    })
    this.#resolving.set(request, answer)
    return answer
  }

  async #askWay(
    request: string,
    address: string,
    signal: AbortSignal | undefined,
  ): Promise<ResolveReply> {
    const parse = (attrs: AttrList): ResolveReply & { serverFlags: number } => {
      const reply = ResolveReplyList.parse(attrs)
      if (reply.transport === '' || (reply.recipient === '' && address !== '')) {
        throw new AttrError('Cannot accept resolve reply: want a transport and a recipient')
      }
      return reply
    }
    const { transport, nexthop, recipient, flags } = await this.#ask(request, parse, signal)
    const reply = { transport, nexthop, recipient, flags }
    this.#resolved.keep(request, reply)
    return reply
  }

  async #ask<T extends { readonly serverFlags: number }>(
    request: string,
    parse: (attrs: AttrList) => T,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return this.#client.converse(
      async (channel) => {
        channel.send(request)
        const reply = parse(await channel.receiveReply())
        if (reply.serverFlags !== 0) channel.close()
        return reply
      },
      { signal },
    )
  }
}
