/**
 * session-cache - TLS sessions by their ids, for a limited time
 *
 * Ids and sessions are opaque. A session that is stored again counts from then on, so that the map is in order of age:
 * what has expired is at its front.
 *
 * Holds: at most `octetsLimit` octets of ids and sessions; beyond that the oldest go.
 */
export interface SessionCacheOptions {
  readonly lifeSeconds: number
  readonly octetsLimit?: number
  /** the wall clock in ms */
  readonly now?: () => number
}

interface Entry {
  readonly session: string
  readonly storedMs: number
}

const defaultOctetsLimit = 64 * 1024 * 1024

export class SessionCache {
  readonly #entries = new Map<string, Entry>()
  readonly #lifeMs: number
  readonly #octetsLimit: number
  readonly #now: () => number
  #octets = 0

  constructor(options: SessionCacheOptions) {
    this.#lifeMs = options.lifeSeconds * 1000
    this.#octetsLimit = options.octetsLimit ?? defaultOctetsLimit
    this.#now = options.now ?? Date.now
  }

  get size(): number {
    return this.#entries.size
  }

  find(id: string): string | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    if (!this.#isExpired(entry)) return entry.session
    this.delete(id)
    return undefined
  }

  set(id: string, session: string): void {
    this.delete(id)
    this.#entries.set(id, { session, storedMs: this.#now() })
    this.#octets += id.length + session.length
    if (this.#octets > this.#octetsLimit) this.#dropWhile(() => this.#octets > this.#octetsLimit)
  }

  /** False: it was not there. */
  delete(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined) return false
    this.#entries.delete(id)
    this.#octets -= id.length + entry.session.length
    return true
  }

  dropExpired(): void {
    this.#dropWhile((entry) => this.#isExpired(entry))
  }

  #dropWhile(isUnwanted: (entry: Entry) => boolean): void {
    for (const [id, entry] of this.#entries) {
      if (!isUnwanted(entry)) return
      this.delete(id)
    }
  }

  #isExpired({ storedMs }: Entry): boolean {
    return storedMs + this.#lifeMs < this.#now()
  }
}
