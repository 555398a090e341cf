/**
 * client-counts - what every client of every service did lately
 *
 * A client is known by its ident, `SERVICE:ADDRESS`. We count its connections, and within an interval of
 * anvil_rate_time_unit its connects, messages, recipients, new TLS sessions and AUTH commands. The interval starts with
 * the first event after the one before has passed; then all rates start at zero.
 *
 * A watcher stands for one connection of ours, from a server that serves one client at a time: it holds the
 * connection count of the client that it was last asked about.
 *
 * Limits: a client is forgotten one interval after its last connection has gone.
 * Source: Postfix 3.7 anvil(8), whose counts anvil-service.test.ts repeats.
 */
export const rateKinds = ['connect', 'message', 'recipient', 'newtls', 'auth'] as const
export type RateKind = (typeof rateKinds)[number]

interface ClientState {
  readonly ident: string
  count: number
  startedAtMs: number
  rates: Record<RateKind, number>
}

export interface ClientReport {
  readonly count: number
  readonly rates: Readonly<Record<RateKind, number>>
}

/** What one connection of ours has told us about. */
export interface Watcher {
  current: ClientState | undefined
}

export interface ClientCountsOptions {
  readonly intervalMs: number
  /** the wall clock in ms */
  readonly now?: () => number
}

const noRates = (): Record<RateKind, number> => ({
  connect: 0,
  message: 0,
  recipient: 0,
  newtls: 0,
  auth: 0,
})

export class ClientCounts {
  readonly #intervalMs: number
  readonly #now: () => number
  readonly #clients = new Map<string, ClientState>()

  constructor(options: ClientCountsOptions) {
    this.#intervalMs = options.intervalMs
    this.#now = options.now ?? Date.now
  }

  get size(): number {
    return this.#clients.size
  }

  /** A connection; the watcher lets go of the client that it held before. */
  connect(watcher: Watcher, ident: string): ClientReport {
    this.release(watcher)
    const client = this.#refreshed(ident)
    client.count += 1
    client.rates.connect += 1
    watcher.current = client
    return client
  }

  /** The end of a connection; nothing happens unless the watcher holds this client. */
  disconnect(watcher: Watcher, ident: string): void {
    if (watcher.current?.ident === ident) this.release(watcher)
  }

  /** Counts one more of a kind. For a client that is not known, this is a connect as well. */
  count(watcher: Watcher, kind: RateKind, ident: string): ClientReport {
    if (!this.#clients.has(ident)) this.connect(watcher, ident)
    const client = this.#refreshed(ident)
    client.rates[kind] += 1
    return client
  }

  /** What is known, zeros for an unknown client. */
  find(ident: string): ClientReport {
    const client = this.#clients.get(ident)
    if (client === undefined) return { count: 0, rates: noRates() }
    return this.#hasPassed(client) ? { count: client.count, rates: noRates() } : client
  }

  /** The connection of ours is closed, or goes on to another client. */
  release(watcher: Watcher): void {
    if (watcher.current !== undefined) watcher.current.count -= 1
    watcher.current = undefined
  }

  /** Forgets the clients whose interval has passed and who are not connected. */
  forgetOld(): void {
    for (const [ident, client] of this.#clients) {
      if (client.count === 0 && this.#hasPassed(client)) this.#clients.delete(ident)
    }
  }

  #refreshed(ident: string): ClientState {
    const known = this.#clients.get(ident)
    if (known === undefined) {
      const client = { ident, count: 0, startedAtMs: this.#now(), rates: noRates() }
      this.#clients.set(ident, client)
      return client
    }
    if (this.#hasPassed(known)) {
      known.startedAtMs = this.#now()
      known.rates = noRates()
    }
    return known
  }

  #hasPassed(client: ClientState): boolean {
    return this.#now() - client.startedAtMs >= this.#intervalMs
  }
}
