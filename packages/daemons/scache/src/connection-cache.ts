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
 * Holds: connections, which it closes when they expire, or when the caller wants room.
 * Limits: `octetsLimit` for texts and what they cost; beyond it the elements go that would expire next. The number of
 *   connections is limited by whoever knows how many descriptors the process may have: keepAtMost().
 * Source: Postfix 3.7 scache(8), which has no limits.
 */
import { ExpiryOrder, type Expiring } from './expiry-order.ts'

export interface Closable {
  close: () => void
}

interface EndpointElement<C> extends Expiring {
  readonly label: string
  readonly properties: string
  readonly connection: C
}

interface DestinationElement extends Expiring {
  readonly label: string
  readonly properties: string
  readonly endpoint: string
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
  /** Default: 64 MB. */
  readonly octetsLimit?: number
}

const OCTETS_LIMIT = 64 * 1024 * 1024
/** What an element takes beyond its texts, more or less. */
const ELEMENT_OCTETS = 300

export class ConnectionCache<C extends Closable> {
  readonly #ttlLimitSeconds: number
  readonly #now: () => number
  readonly #octetsLimit: number
  readonly #destinations = new Map<string, Set<DestinationElement>>()
  readonly #endpoints = new Map<string, Set<EndpointElement<C>>>()
  readonly #destinationOrder = new ExpiryOrder<DestinationElement>()
  readonly #endpointOrder = new ExpiryOrder<EndpointElement<C>>()
  #connectionCount = 0
  #octets = 0
  #droppedAtSeconds = 0

  constructor(options: ConnectionCacheOptions) {
    this.#ttlLimitSeconds = options.ttlLimitSeconds
    this.#now = options.now ?? Date.now
    this.#octetsLimit = options.octetsLimit ?? OCTETS_LIMIT
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

  /** Takes `connection` over. @returns how many connections went early, to make room for the text */
  saveEndpoint(ttlSeconds: number, label: string, properties: string, connection: C): number {
    const expiresAtSeconds = this.#expiry(ttlSeconds)
    const element = { label, properties, connection, expiresAtSeconds }
    add(this.#endpoints, element)
    this.#endpointOrder.add(element)
    this.#connectionCount += 1
    this.#octets += octetsOf(element)
    return this.#keepOctets()
  }

  /** Gives up the oldest connection of an endpoint; it is the caller's now. */
  takeEndpoint(label: string): CachedEndpoint<C> | undefined {
    this.dropExpired()
    const oldest = this.#endpoints.get(label)?.values().next().value
    if (oldest === undefined) return undefined
    this.#endpointOrder.remove(oldest)
    this.#forgetEndpoint(oldest)
    return oldest
  }

  /** @returns how many connections went early, to make room for the text */
  saveDestination(ttlSeconds: number, label: string, properties: string, endpoint: string): number {
    const expiresAtSeconds = this.#expiry(ttlSeconds)
    for (const known of this.#destinations.get(label) ?? []) {
      if (known.endpoint !== endpoint || known.properties !== properties) continue
      this.#destinationOrder.remove(known)
      known.expiresAtSeconds = expiresAtSeconds
      this.#destinationOrder.add(known)
      return 0
    }
    const element = { label, properties, endpoint, expiresAtSeconds }
    add(this.#destinations, element)
    this.#destinationOrder.add(element)
    this.#octets += octetsOf(element)
    return this.#keepOctets()
  }

  /** Gives up a connection of the first binding of a destination that leads to one. */
  takeDestination(label: string): CachedDestination<C> | undefined {
    this.dropExpired()
    for (const binding of this.#destinations.get(label) ?? []) {
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

  /** Closes connections until so many are left, those first that would expire next. @returns how many went early */
  keepAtMost(count: number): number {
    this.dropExpired()
    let closedCount = 0
    while (this.#connectionCount > Math.max(0, count)) {
      const { first } = this.#endpointOrder
      if (first === undefined) break
      this.#endpointOrder.remove(first)
      this.#closeEndpoint(first)
      closedCount += 1
    }
    return closedCount
  }

  /** Closes and forgets what has lived long enough. @returns the time, in whole seconds */
  dropExpired(): number {
    const nowSeconds = Math.floor(this.#now() / 1000)
    if (nowSeconds === this.#droppedAtSeconds) return nowSeconds
    this.#droppedAtSeconds = nowSeconds
    for (const element of this.#endpointOrder.takeExpired(nowSeconds)) this.#closeEndpoint(element)
    for (const element of this.#destinationOrder.takeExpired(nowSeconds)) {
      this.#forgetDestination(element)
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
    this.#endpointOrder.clear()
    this.#destinationOrder.clear()
    this.#connectionCount = 0
    this.#octets = 0
  }

  #expiry(ttlSeconds: number): number {
    return this.dropExpired() + Math.min(ttlSeconds, this.#ttlLimitSeconds)
  }

  #keepOctets(): number {
    let closedCount = 0
    while (this.#octets > this.#octetsLimit) {
      const endpoint = this.#endpointOrder.first
      const destination = this.#destinationOrder.first
      const isEndpointLater =
        endpoint !== undefined &&
        destination !== undefined &&
        destination.expiresAtSeconds <= endpoint.expiresAtSeconds
      if (endpoint !== undefined && !isEndpointLater) {
        this.#endpointOrder.remove(endpoint)
        this.#closeEndpoint(endpoint)
        closedCount += 1
      } else if (destination !== undefined) {
        this.#destinationOrder.remove(destination)
        this.#forgetDestination(destination)
      } else break
    }
    return closedCount
  }

  #closeEndpoint(element: EndpointElement<C>): void {
    this.#forgetEndpoint(element)
    element.connection.close()
  }

  #forgetEndpoint(element: EndpointElement<C>): void {
    remove(this.#endpoints, element)
    this.#connectionCount -= 1
    this.#octets -= octetsOf(element)
  }

  #forgetDestination(element: DestinationElement): void {
    remove(this.#destinations, element)
    this.#octets -= octetsOf(element)
  }
}

interface Labelled {
  readonly label: string
}

function add<E extends Labelled>(table: Map<string, Set<E>>, element: E): void {
  const elements = table.get(element.label)
  if (elements === undefined) table.set(element.label, new Set([element]))
  else elements.add(element)
}

function remove<E extends Labelled>(table: Map<string, Set<E>>, element: E): void {
  const elements = table.get(element.label)
  if (elements?.delete(element) === true && elements.size === 0) table.delete(element.label)
}

function octetsOf(element: { label: string; properties: string; endpoint?: string }): number {
  const { label, properties, endpoint = '' } = element
  return ELEMENT_OCTETS + label.length + properties.length + endpoint.length
}
