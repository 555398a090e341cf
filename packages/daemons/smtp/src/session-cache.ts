/**
 * session-cache - connections for other deliveries: our own idle ones first, then those in scache(8)
 *
 * A find gives a connection that is ready for MAIL FROM, or nothing; what is wrong with a cached connection is nobody's
 * business but ours. Connections from scache(8) are probed with RSET, because nobody watched them meanwhile. A connection
 * whose TLS is spoken here never goes to scache(8): only tlsproxy(8) can speak it for others.
 * Source: Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import type { Descriptor } from '@posthorn/native/descriptor'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { summaryLine } from '@posthorn/tls/client-engine'
import type { ScacheClient } from '@posthorn/wire/scache-protocol'
import { destinationLabel, endpointLabel, type Endpoint, type LabelRules } from './cache-labels.ts'
import { DESTINATION_FEATURES, FEATURES, OWN_FEATURES, UNSAVED_FEATURES } from './features.ts'
import type { IdleSessions } from './idle-sessions.ts'
import type { ServerHost } from './server-host.ts'
import type { Session, SessionOrigin, SessionStart } from './session.ts'
import {
  encodeDestinationProperties,
  encodeEndpointProperties,
  parseDestinationProperties,
  parseEndpointProperties,
  type DestinationProperties,
} from './session-properties.ts'

export interface SessionCacheOptions {
  labels: LabelRules
  ttlSeconds: number
  /** Absent: neither parameter asks for connection caching. */
  scache: ScacheClient | undefined
  /** Absent: this process serves one delivery at a time. */
  idle: IdleSessions | undefined
  /** A TLS connection of our own that is used again has a line in the log; one of tlsproxy(8) always has. */
  logsTls?: boolean
  /** Says RSET; false: the connection is of no use, and closed. */
  probe: (start: SessionStart) => Promise<boolean>
}

/** What the caller knows about the connection that it looks for. */
export interface Wanted {
  nexthop: string
  port: number
  host?: ServerHost
}

export class SessionCache {
  readonly #options: SessionCacheOptions

  constructor(options: SessionCacheOptions) {
    this.#options = options
  }

  /** A connection by which the destination was reached lately, whatever host it leads to. */
  async findDestination(
    sender: string,
    requestNexthop: string,
    wanted: Wanted,
  ): Promise<SessionStart | undefined> {
    const { labels, idle, scache } = this.#options
    const label = destinationLabel(labels, sender, requestNexthop)
    const own = idle?.takeDestination(label)
    if (own !== undefined) {
      const { stream, endpointProperties, destinationProperties } = own
      const start = this.#activate(
        stream,
        'ownCache',
        label,
        wanted,
        endpointProperties,
        destinationProperties,
      )
      return withFeatures(start, own.ownFeatures)
    }
    const found = await scache?.findDestination(label)
    if (found === undefined) return undefined
    const { descriptor, endpointProperties, destinationProperties } = found
    return this.#activateShared(
      descriptor,
      label,
      wanted,
      endpointProperties,
      destinationProperties,
    )
  }

  /** A connection to this very address. */
  async findEndpoint(sender: string, endpoint: Endpoint): Promise<SessionStart | undefined> {
    const { labels, idle, scache } = this.#options
    const label = endpointLabel(labels, sender, endpoint)
    const { nexthop, hostName: name, address, port } = endpoint
    const wanted = { nexthop, port, host: { name, address, port, preference: 0 } }
    const own = idle?.takeEndpoint(label)
    if (own !== undefined) {
      const { stream, endpointProperties } = own
      const start = this.#activate(stream, 'ownCache', label, wanted, endpointProperties)
      return withFeatures(start, own.ownFeatures)
    }
    const found = await scache?.findEndpoint(label)
    if (found === undefined) return undefined
    return this.#activateShared(found.descriptor, label, wanted, found.properties)
  }

  /** Takes ownership of the connection. `requestNexthop` is empty when it may not be found by destination. */
  async save(session: Session, sender: string, requestNexthop: string): Promise<void> {
    const { labels, ttlSeconds, idle, scache } = this.#options
    const { stream, host, nexthop, tlsLevel } = session
    const endpoint = endpointLabel(labels, sender, {
      nexthop,
      hostName: host.name,
      address: host.address,
      port: host.port,
      tlsLevel,
    })
    const endpointProperties = encodeEndpointProperties({
      tlsLevel,
      reuseCount: session.reuseCount,
      features: session.features & ~UNSAVED_FEATURES,
      expireSeconds: Math.floor(session.reuseUntilMs / 1000),
      tlsContext: session.tlsContext,
    })
    const isSecured = session.tlsContext !== undefined && !session.has(FEATURES.tlsproxy)
    const binding = {
      destinationLabel: destinationLabel(labels, sender, requestNexthop),
      destinationProperties: encodeDestinationProperties({
        nexthop,
        hostName: host.name,
        address: host.address,
        features: session.features & DESTINATION_FEATURES,
      }),
    }
    const isBound = requestNexthop !== ''
    if (stream.buffered !== '' || stream.unwritten > 0) {
      stream.close() // the server said something unasked
    } else if (idle !== undefined && !idle.isFull) {
      const ownFeatures = session.features & OWN_FEATURES
      idle.keep(
        { stream, endpointLabel: endpoint, endpointProperties, ownFeatures, isSecured },
        isBound ? binding : undefined,
      )
    } else if (scache === undefined || isSecured) {
      stream.close()
    } else {
      if (isBound) {
        const { destinationLabel: label, destinationProperties } = binding
        await scache.saveDestination(ttlSeconds, label, destinationProperties, endpoint)
      }
      await scache.saveEndpoint(ttlSeconds, endpoint, endpointProperties, stream.detach())
    }
  }

  /** This process ends: what it kept is of use to others. */
  async handOver(): Promise<void> {
    const { idle, scache, ttlSeconds } = this.#options
    const { sessions, bindings } = idle?.takeAll() ?? { sessions: [], bindings: [] }
    for (const { stream, isSecured } of sessions) {
      if (scache === undefined || isSecured === true) stream.close()
    }
    if (scache === undefined) return
    for (const { destinationLabel: label, destinationProperties, endpointLabel: end } of bindings) {
      await scache.saveDestination(ttlSeconds, label, destinationProperties, end)
    }
    for (const { stream, endpointLabel: endpoint, endpointProperties } of sessions) {
      if (stream.isOpen)
        await scache.saveEndpoint(ttlSeconds, endpoint, endpointProperties, stream.detach())
    }
    scache.close()
  }

  /** Drops what is kept here, and the connection to scache(8). */
  close(): void {
    for (const { stream } of this.#options.idle?.takeAll().sessions ?? []) stream.close()
    this.#options.scache?.close()
  }

  async #activateShared(
    descriptor: Descriptor,
    label: string,
    wanted: Wanted,
    endpointProperties: string,
    destinationProperties?: string,
  ): Promise<SessionStart | undefined> {
    const start = this.#activate(
      new ByteStream(descriptor),
      'sharedCache',
      label,
      wanted,
      endpointProperties,
      destinationProperties,
    )
    return start !== undefined && (await this.#options.probe(start)) ? start : undefined
  }

  #activate(
    stream: ByteStream,
    origin: SessionOrigin,
    label: string,
    wanted: Wanted,
    endpointText: string,
    destinationText?: string,
  ): SessionStart | undefined {
    const endpoint = parseEndpointProperties(endpointText)
    if (endpoint === undefined) {
      refuse(stream, label, 'smtp_session_activate: bad cached endp properties')
      return
    }
    let destination: DestinationProperties | undefined
    if (destinationText !== undefined) {
      destination = parseDestinationProperties(destinationText)
      if (destination === undefined) {
        refuse(stream, label, 'smtp_session_passivate: bad cached dest properties')
        return
      }
    }
    const { port } = wanted
    const host: ServerHost | undefined =
      destination === undefined
        ? wanted.host
        : { name: destination.hostName, address: destination.address, port, preference: 0 }
    if (host === undefined) {
      refuse(stream, label, 'no host')
      return
    }
    const { tlsContext } = endpoint
    const isProxied = (endpoint.features & FEATURES.tlsproxy) !== 0
    if (tlsContext !== undefined && (isProxied || this.#options.logsTls === true)) {
      log.info(summaryLine(tlsContext, 'reused'))
    }
    const destinationFeatures = destination?.features ?? FEATURES.bestMx
    return {
      stream,
      host,
      nexthop: destination?.nexthop ?? wanted.nexthop,
      origin,
      features: endpoint.features | destinationFeatures | FEATURES.fromCache,
      tlsLevel: endpoint.tlsLevel,
      tlsContext,
      fate: 'cacheable',
      reuseUntilMs: endpoint.expireSeconds * 1000,
      reuseCount: endpoint.reuseCount + 1,
    }
  }
}

function withFeatures(start: SessionStart | undefined, features: number): SessionStart | undefined {
  return start && { ...start, features: start.features | features }
}

function refuse(stream: ByteStream, label: string, why: string): undefined {
  log.warning(why)
  log.warning(`smtp_reuse_common: bad cached session attribute for ${label}`)
  stream.close()
  return undefined
}
