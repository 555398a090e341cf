/**
 * cache-statistics - what the connection cache did since the last report
 *
 * Lookups by destination are "domain" lookups, lookups by endpoint "address" lookups; the endpoint that a lookup by
 * destination takes is not counted again. After a report everything starts at zero, the high-water marks included.
 * Connections that had to go early, for want of room, have a line of their own, which Postfix does not have.
 *
 * Source: Postfix 3.7 scache(8); scan tools read these lines.
 */
import { formatLogStamp } from '@posthorn/log/log-stamp'

interface Lookups {
  hits: number
  misses: number
}

interface Levels {
  readonly destinationCount: number
  readonly endpointCount: number
  readonly connectionCount: number
}

export class CacheStatistics {
  #destination: Lookups = { hits: 0, misses: 0 }
  #endpoint: Lookups = { hits: 0, misses: 0 }
  #maxDestinations = 0
  #maxEndpoints = 0
  #maxConnections = 0
  #earlyCount = 0
  #startedAtMs: number

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs
  }

  countDestination(isHit: boolean): void {
    this.#destination[isHit ? 'hits' : 'misses'] += 1
  }

  countEndpoint(isHit: boolean): void {
    this.#endpoint[isHit ? 'hits' : 'misses'] += 1
  }

  /** So many connections were closed before their time. */
  countEarly(count: number): void {
    this.#earlyCount += count
  }

  /** After a binding was saved. */
  sampleKeys(cache: Levels): void {
    this.#maxDestinations = Math.max(this.#maxDestinations, cache.destinationCount)
    this.#maxEndpoints = Math.max(this.#maxEndpoints, cache.endpointCount)
  }

  /** After a connection was saved. */
  sampleConnections(cache: Levels): void {
    this.#maxEndpoints = Math.max(this.#maxEndpoints, cache.endpointCount)
    this.#maxConnections = Math.max(this.#maxConnections, cache.connectionCount)
  }

  /** The lines to log, none when nothing happened; starts the next interval. */
  report(nowMs: number): string[] {
    const lines = [
      ...lookupLine('domain', this.#destination),
      ...lookupLine('address', this.#endpoint),
    ]
    if (this.#maxDestinations + this.#maxEndpoints + this.#maxConnections > 0) {
      lines.push(
        `statistics: max simultaneous domains=${this.#maxDestinations}` +
          ` addresses=${this.#maxEndpoints} connection=${this.#maxConnections}`,
      )
    }
    if (this.#earlyCount > 0) {
      lines.push(`statistics: connections closed early for want of room=${this.#earlyCount}`)
    }
    if (lines.length > 0)
      lines.unshift(`statistics: start interval ${formatLogStamp(this.#startedAtMs, ' ')}`)
    this.#startedAtMs = nowMs
    this.#destination = { hits: 0, misses: 0 }
    this.#endpoint = { hits: 0, misses: 0 }
    this.#maxDestinations = 0
    this.#maxEndpoints = 0
    this.#maxConnections = 0
    this.#earlyCount = 0
    return lines
  }
}

function lookupLine(what: string, { hits, misses }: Lookups): string[] {
  if (hits + misses === 0) return []
  const success = Math.floor((hits * 100) / (hits + misses))
  return [`statistics: ${what} lookup hits=${hits} miss=${misses} success=${success}%`]
}
