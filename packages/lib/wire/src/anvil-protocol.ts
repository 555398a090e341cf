/**
 * anvil-protocol - counting clients and their requests with anvil(8)
 *
 * Many requests per connection, in the plain encoding. A client's ident is `SERVICE:ADDRESS`, as smtp:192.0.2.1.
 * anvil(8) remembers one client for each of its connections, the one it was last asked about; when the connection
 * closes, that client counts as gone. So a session of ours has a connection to itself from its first request to
 * its last; afterwards another session uses it. A malformed request costs the connection.
 *
 * Source: Postfix 3.7 anvil(8).
 */
import { encodePlainList, plain } from './plain-list.ts'
import type { AttrList } from './attr-list.ts'
import { statusFields } from './attr-groups.ts'
import { AttrReader, defineList, int, text } from './attr-schema.ts'
import { PersistentClient } from './service-client.ts'

export const anvilProtocol = 'anvil_protocol'

export const ANVIL_STATUS = { ok: 0, failed: -1 } as const

/** The requests that count one thing and reply with its rate. */
export type AnvilRateRequest = 'message' | 'recipient' | 'newtls' | 'newtls_status' | 'auth'

const AnvilRequestList = defineList({ request: text('request'), ident: text('ident') })

export interface AnvilRequest {
  readonly request: string
  readonly ident: string
}

/** @throws {AttrError} missing, extra or misplaced attributes; the name of the request is not checked */
export function parseAnvilRequest(attrs: AttrList): AnvilRequest {
  return AnvilRequestList.parse(attrs)
}

export const AnvilStatusReply = defineList(statusFields)
export const AnvilRateReply = defineList({ ...statusFields, rate: int('rate') })
export const AnvilConnectReply = defineList({
  ...statusFields,
  count: int('count'),
  rate: int('rate'),
})
export const AnvilLookupReply = defineList({
  ...statusFields,
  count: int('count'),
  rate: int('rate'),
  messageRate: int('mail'),
  recipientRate: int('rcpt'),
  newTlsRate: int('newtls'),
  authRate: int('auth'),
})

/** The status of a reply, whatever follows it. @throws {AttrError} there is none */
function statusOf(attrs: AttrList): number {
  return statusFields.status.parse(new AttrReader(attrs, 'refuse'))
}

export interface AnvilClientOptions {
  /** `private/anvil` */
  readonly path: string
  readonly timeoutMs: number
}

/** Keeps connections to anvil(8) for the sessions of a process. */
export class AnvilClient {
  readonly #options: AnvilClientOptions
  readonly #free: PersistentClient[] = []
  #isClosed = false

  constructor(options: AnvilClientOptions) {
    this.#options = options
  }

  /** A session with the client `ident`; end() it when the client leaves. */
  session(ident: string): AnvilSession {
    const client =
      this.#free.pop() ??
      new PersistentClient({
        ...this.#options,
        protocol: anvilProtocol,
        encoding: plain,
        maxConnections: 1,
        idleMs: 0,
        ttlMs: 0,
      })
    return new AnvilSession(client, ident, () => {
      if (this.#isClosed) client.close()
      else this.#free.push(client)
    })
  }

  /** Closes the connections, those of sessions when they end. */
  close(): void {
    this.#isClosed = true
    for (const client of this.#free.splice(0)) client.close()
  }
}

/** One client of ours, as anvil(8) sees it. A failing anvil(8) must not stop mail: catch ServiceError. */
export class AnvilSession {
  readonly #client: PersistentClient
  readonly #ident: string
  readonly #release: () => void
  #isCounted = false
  #isEnded = false

  constructor(client: PersistentClient, ident: string, release: () => void) {
    this.#client = client
    this.#ident = ident
    this.#release = release
  }

  /**
   * The client has connected.
   *
   * @returns connections now, and within the interval; undefined when anvil(8) could not count
   * @throws {ServiceError}
   */
  async connect(): Promise<{ count: number; rate: number } | undefined> {
    this.#isCounted = true
    const reply = await this.#ask('connect')
    if (statusOf(reply) !== 0) return undefined
    const { count, rate } = AnvilConnectReply.parse(reply)
    return { count, rate }
  }

  /**
   * Counts one more.
   *
   * @returns how many within the interval; undefined when anvil(8) could not count
   * @throws {ServiceError}
   */
  async count(request: AnvilRateRequest): Promise<number | undefined> {
    this.#isCounted = true
    const reply = await this.#ask(request)
    return statusOf(reply) === 0 ? AnvilRateReply.parse(reply).rate : undefined
  }

  /** The client has left. @throws {ServiceError} */
  async end(): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    try {
      if (this.#isCounted) await this.#ask('disconnect')
    } finally {
      this.#release()
    }
  }

  async #ask(request: string): Promise<AttrList> {
    const encoded = encodePlainList([
      ['request', request],
      ['ident', this.#ident],
    ])
    return this.#client.ask(encoded, (reply) => {
      statusOf(reply)
      return reply
    })
  }
}
