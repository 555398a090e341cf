/**
 * connection-cache - idle connections by the labels that delivery agents gave them
 *
 * Two tables, both keyed by opaque text. Each key owns a list, oldest element first:
 *
 *     destination label -> (properties, endpoint label) ...    a logical name for endpoints; no connection
 *     endpoint label    -> (properties, connection) ...        an idle connection
 *
 * A destination names its endpoint by label only: it outlives the endpoint's connections, and works again when there
 * are new ones. Saving never merges connections; saving a binding again only makes it live longer. Finding removes
 * the connection, never the binding.
 *
 * Time is counted in whole seconds, so an element with a time to live of 2 goes between 1 and 2 seconds later. Expired
 * elements are dropped before every operation, and by dropExpired().
 *
 * Holds: connections, which it closes when they expire. Their number is limited by the time to live alone.
 * Source: Postfix 3.7 scache(8).
 */
export interface Closable {
  close: () => void
}

interface EndpointElement<C> {
  readonly properties: string
  readonly connection: C
  readonly expiresAtSeconds: number
}

interface DestinationElement {
  readonly properties: string
  readonly endpoint: string
  expiresAtSeconds: number
}

export interface CachedEndpoint<C> {
  readonly properties: string
  readonly connection: C
}

export interface CachedDestination<C> {
  readonly destinationProperties: string
  readonly endpointProperties: string
  readonly connection: C
}

export interface ConnectionCacheOptions {
  readonly ttlLimitSeconds: number
  /** the wall clock in ms */
  readonly now?: () => number
}

export class ConnectionCache<C extends Closable> {
  readonly #ttlLimitSeconds: number
  readonly #now: () => number
  readonly #destinations = new Map<string, DestinationElement[]>()
  readonly #endpoints = new Map<string, EndpointElement<C>[]>()
  #connectionCount = 0
  #droppedAtSeconds = 0

  constructor(options: ConnectionCacheOptions) {
    this.#ttlLimitSeconds = options.ttlLimitSeconds
    this.#now = options.now ?? Date.now
  }

  /** Destinations with at least one binding. */
  get destinationCount(): number {
    return this.#destinations.size
  }

  /** Endpoints with at least one connection. */
  get endpointCount(): number {
    return this.#endpoints.size
  }

  get connectionCount(): number {
    return this.#connectionCount
  }

  get isEmpty(): boolean {
    return this.#destinations.size === 0 && this.#endpoints.size === 0
  }

  /** Takes `connection` over. */
  saveEndpoint(ttlSeconds: number, endpoint: string, properties: string, connection: C): void {
    const expiresAtSeconds = this.dropExpired() + Math.min(ttlSeconds, this.#ttlLimitSeconds)
    const element = { properties, connection, expiresAtSeconds }
    const elements = this.#endpoints.get(endpoint)
    if (elements === undefined) this.#endpoints.set(endpoint, [element])
    else elements.push(element)
    this.#connectionCount += 1
  }

  /** Gives up the oldest connection of an endpoint; it is the caller's now. */
  takeEndpoint(endpoint: string): CachedEndpoint<C> | undefined {
    this.dropExpired()
    const elements = this.#endpoints.get(endpoint)
    const oldest = elements?.shift()
    if (elements === undefined || oldest === undefined) return undefined
    if (elements.length === 0) this.#endpoints.delete(endpoint)
    this.#connectionCount -= 1
    return oldest
  }

  saveDestination(
    ttlSeconds: number,
    destination: string,
    properties: string,
    endpoint: string,
  ): void {
    const expiresAtSeconds = this.dropExpired() + Math.min(ttlSeconds, this.#ttlLimitSeconds)
    const elements = this.#destinations.get(destination)
    if (elements === undefined) {
      this.#destinations.set(destination, [{ properties, endpoint, expiresAtSeconds }])
      return
    }
    const known = elements.find(
      (element) => element.endpoint === endpoint && element.properties === properties,
    )
    if (known === undefined) elements.push({ properties, endpoint, expiresAtSeconds })
    else known.expiresAtSeconds = expiresAtSeconds
  }

  /** Gives up a connection of the first binding of a destination that leads to one. */
  takeDestination(destination: string): CachedDestination<C> | undefined {
    this.dropExpired()
    for (const binding of this.#destinations.get(destination) ?? []) {
      const found = this.takeEndpoint(binding.endpoint)
      if (found === undefined) continue
      return {
        destinationProperties: binding.properties,
        endpointProperties: found.properties,
        connection: found.connection,
      }
    }
    return undefined
  }

  /** Closes and forgets what has lived long enough. @returns the time, in whole seconds */
  dropExpired(): number {
    const nowSeconds = Math.floor(this.#now() / 1000)
    if (nowSeconds === this.#droppedAtSeconds) return nowSeconds
    this.#droppedAtSeconds = nowSeconds
    for (const [label, elements] of this.#endpoints) {
      const kept = elements.filter((element) => element.expiresAtSeconds > nowSeconds)
      if (kept.length === elements.length) continue
      for (const element of elements) {
        if (element.expiresAtSeconds <= nowSeconds) element.connection.close()
      }
      this.#connectionCount -= elements.length - kept.length
      replaceOrDelete(this.#endpoints, label, kept)
    }
    for (const [label, elements] of this.#destinations) {
      const kept = elements.filter((element) => element.expiresAtSeconds > nowSeconds)
      if (kept.length < elements.length) replaceOrDelete(this.#destinations, label, kept)
    }
    return nowSeconds
  }

  /** Closes every connection, at the end of the process. */
  closeAll(): void {
    for (const elements of this.#endpoints.values()) {
      for (const element of elements) element.connection.close()
    }
    this.#endpoints.clear()
    this.#destinations.clear()
    this.#connectionCount = 0
  }
}

function replaceOrDelete<T>(table: Map<string, T[]>, label: string, kept: T[]): void {
  if (kept.length === 0) table.delete(label)
  else table.set(label, kept)
}
