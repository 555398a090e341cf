/**
 * scache-protocol - lending an idle connection to the connection cache, and borrowing one
 *
 * A label names a destination or an endpoint; labels and properties are opaque to scache(8). Descriptors travel on
 * the same socket, between lists that make sure that neither side reads ahead or closes too early:
 *
 *     save:  C>S request    S>C dummy               C>S descriptor   S>C status
 *     find:  C>S request    S>C status, properties  C>S dummy        S>C descriptor   C>S dummy
 *
 * Source: Postfix 3.7 scache(8), smtp(8).
 */
import type { Descriptor } from '@posthorn/native/descriptor'
import { errorReason } from '@posthorn/native/system-error'
import { log } from '@posthorn/log/log'
import { encodeAttrList, type AttrList } from './attr-list.ts'
import { statusFields } from './attr-groups.ts'
import { defineList, defineRequest, int, requestName, text, type RequestOf } from './attr-schema.ts'
import type { Channel } from './channel.ts'
import { PersistentClient } from './service-client.ts'
import { AttrError, ServiceError } from './wire-error.ts'

export const scacheProtocol = 'connection_cache_protocol'

export const SCACHE_STATUS = { ok: 0, bad: 1, failed: 2 } as const

/** Store a connection; the descriptor follows on the same socket. */
export const SaveEndpoint = defineRequest('save_endp', {
  ttlSeconds: int('ttl'),
  endpoint: text('label'),
  properties: text('property'),
})
/** Take a connection out again. */
export const FindEndpoint = defineRequest('find_endp', { endpoint: text('label') })
/** A destination can be reached through an endpoint. */
export const SaveDestination = defineRequest('save_dest', {
  ttlSeconds: int('ttl'),
  destination: text('label'),
  properties: text('property'),
  endpoint: text('label'),
})
/** Take out a connection by which a destination can be reached. */
export const FindDestination = defineRequest('find_dest', { destination: text('label') })

export type ScacheRequest =
  | RequestOf<typeof SaveEndpoint>
  | RequestOf<typeof FindEndpoint>
  | RequestOf<typeof SaveDestination>
  | RequestOf<typeof FindDestination>

export const ScacheStatusReply = defineList(statusFields)
export const FoundEndpointReply = defineList({ ...statusFields, properties: text('property') })
export const FoundDestinationReply = defineList({
  ...statusFields,
  destinationProperties: text('property'),
  endpointProperties: text('property'),
})
export const Dummy = defineList({ dummy: text('dummy') })
export const dummy = encodeAttrList([['dummy', '']])

/**
 * @returns undefined for a request that scache(8) does not know: the reply is status `bad`
 * @throws {AttrError} attributes missing, extra, out of order or malformed, or a ttl below 1
 */
export function parseScacheRequest(attrs: AttrList): ScacheRequest | undefined {
  switch (requestName(attrs)) {
    case SaveEndpoint.request:
      return withTtl(SaveEndpoint.parse(attrs))
    case FindEndpoint.request:
      return FindEndpoint.parse(attrs)
    case SaveDestination.request:
      return withTtl(SaveDestination.parse(attrs))
    case FindDestination.request:
      return FindDestination.parse(attrs)
    default:
      return undefined
  }
}

/** With the descriptor gone there is nothing to repeat: a failure costs the connection, and the status is not news. */
async function finishSave(channel: Channel): Promise<void> {
  try {
    ScacheStatusReply.parse(await channel.receiveReply())
  } catch (error) {
    log.warning(`problem talking to service scache: ${errorReason(error)}`)
    channel.close()
  }
}

function withTtl<R extends { readonly ttlSeconds: number }>(request: R): R {
  if (request.ttlSeconds > 0) return request
  throw new AttrError(`Cannot parse ttl "${request.ttlSeconds}": want whole seconds, 1 or more`)
}

export interface FoundEndpoint {
  /** the caller's, from here on */
  readonly descriptor: Descriptor
  readonly properties: string
}

export interface FoundDestination {
  /** the caller's, from here on */
  readonly descriptor: Descriptor
  readonly destinationProperties: string
  readonly endpointProperties: string
}

export interface ScacheClientOptions {
  /** `private/scache` */
  readonly path: string
  readonly timeoutMs: number
  readonly idleMs?: number
  readonly ttlMs?: number
  readonly retryDelayMs?: number
}

/** A cache that cannot be reached is an empty one: after a failure that a retry did not mend, it stays so. */
export class ScacheClient {
  readonly #client: PersistentClient
  #isDisabled = false

  constructor(options: ScacheClientOptions) {
    this.#client = new PersistentClient({ ...options, protocol: scacheProtocol })
  }

  /** Gives `descriptor` away, or closes it when that fails. */
  async saveEndpoint(
    ttlSeconds: number,
    endpoint: string,
    properties: string,
    descriptor: Descriptor,
  ): Promise<void> {
    const request = SaveEndpoint.encode({ ttlSeconds, endpoint, properties })
    try {
      await this.#try(
        async (client) =>
          client.converse(
            async (channel) => {
              channel.send(request)
              const attrs = await channel.receiveReply()
              if (attrs[0]?.[0] === 'status') return
              Dummy.parse(attrs)
              await channel.stream.sendDescriptor(descriptor)
              await finishSave(channel)
            },
            { mayRepeat: () => descriptor.isOpen },
          ),
        undefined,
      )
    } finally {
      descriptor.close()
    }
  }

  async findEndpoint(endpoint: string): Promise<FoundEndpoint | undefined> {
    const request = FindEndpoint.encode({ endpoint })
    return this.#try(
      async (client) =>
        client.converse(async (channel) => {
          channel.send(request)
          const reply = FoundEndpointReply.parse(await channel.receiveReply())
          if (reply.status !== SCACHE_STATUS.ok) return undefined
          channel.send(dummy)
          const descriptor = await channel.stream.receiveDescriptor()
          channel.send(dummy)
          return { descriptor, properties: reply.properties }
        }),
      undefined,
    )
  }

  async saveDestination(
    ttlSeconds: number,
    destination: string,
    properties: string,
    endpoint: string,
  ): Promise<void> {
    const request = SaveDestination.encode({ ttlSeconds, destination, properties, endpoint })
    await this.#try(async (client) => client.ask(request, ScacheStatusReply.parse), undefined)
  }

  async findDestination(destination: string): Promise<FoundDestination | undefined> {
    const request = FindDestination.encode({ destination })
    return this.#try(
      async (client) =>
        client.converse(async (channel) => {
          channel.send(request)
          const reply = FoundDestinationReply.parse(await channel.receiveReply())
          if (reply.status !== SCACHE_STATUS.ok) return undefined
          channel.send(dummy)
          const descriptor = await channel.stream.receiveDescriptor()
          channel.send(dummy)
          const { destinationProperties, endpointProperties } = reply
          return { descriptor, destinationProperties, endpointProperties }
        }),
      undefined,
    )
  }

  close(): void {
    this.#client.close()
  }

  async #try<T>(talk: (client: PersistentClient) => Promise<T>, otherwise: T): Promise<T> {
    if (this.#isDisabled) return otherwise
    try {
      return await talk(this.#client)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      this.#disable()
      return otherwise
    }
  }

  #disable(): void {
    if (!this.#isDisabled) log.warning('disabling connection caching')
    this.#isDisabled = true
  }
}
