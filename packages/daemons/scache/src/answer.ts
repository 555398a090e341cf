/**
 * answer - serves one request to the connection cache
 *
 * A bad request gets a status, and the connection goes on. A descriptor changes hands between lists, so that neither
 * side has read ahead when it comes: see @posthorn/wire/scache-protocol.
 *
 * Source: Postfix 3.7 scache(8); its log lines name these functions.
 */
import { log } from '@posthorn/log/log'
import type { Descriptor } from '@posthorn/native/descriptor'
import { errorReason } from '@posthorn/native/system-error'
import type { AttrList } from '@posthorn/wire/attr-list'
import { requestName, type RequestOf } from '@posthorn/wire/attr-schema'
import type { Channel } from '@posthorn/wire/channel'
import {
  Dummy,
  dummy,
  FoundDestinationReply,
  FoundEndpointReply,
  parseScacheRequest,
  SCACHE_STATUS,
  ScacheStatusReply,
  type FindDestination,
  type FindEndpoint,
  type SaveDestination,
  type SaveEndpoint,
  type ScacheRequest,
} from '@posthorn/wire/scache-protocol'
import { AttrError } from '@posthorn/wire/wire-error'
import type { CacheStatistics } from './cache-statistics.ts'
import type { ConnectionCache } from './connection-cache.ts'

export interface CacheState {
  readonly cache: ConnectionCache<Descriptor>
  readonly statistics: CacheStatistics
  /** Connections that there may be now. */
  readonly connectionLimit: number
}

const { ok, bad, failed } = SCACHE_STATUS

/** @throws {AttrError} `attrs` is not a request at all */
export async function answer(state: CacheState, channel: Channel, attrs: AttrList): Promise<void> {
  const name = requestName(attrs)
  if (name === undefined) throw new AttrError('Cannot parse scache request: want request first')
  const request = parseOrRefuse(name, channel, attrs)
  switch (request?.request) {
    case undefined:
      return
    case 'save_endp':
      await saveEndpoint(state, channel, request)
      return
    case 'find_endp':
      await findEndpoint(state, channel, request)
      return
    case 'save_dest':
      saveDestination(state, channel, request)
      return
    case 'find_dest':
      await findDestination(state, channel, request)
      return
  }
}

function parseOrRefuse(name: string, channel: Channel, attrs: AttrList): ScacheRequest | undefined {
  try {
    const request = parseScacheRequest(attrs)
    if (request === undefined) {
      log.warning(`unrecognized request: "${name}", ignored`)
      channel.send(ScacheStatusReply.encode({ status: bad }))
    }
    return request
  } catch (error) {
    if (!(error instanceof AttrError)) throw error
    log.warning(`scache_${name}_service: bad or missing request parameter`)
    channel.send(badReply(name))
    return undefined
  }
}

function badReply(name: string): string {
  switch (name) {
    case 'find_endp':
      return FoundEndpointReply.encode({ status: bad, properties: '' })
    case 'find_dest':
      return notFoundDestination(bad)
    default:
      return ScacheStatusReply.encode({ status: bad })
  }
}

function notFoundDestination(status: number): string {
  return FoundDestinationReply.encode({
    status,
    destinationProperties: '',
    endpointProperties: '',
  })
}

function saveDestination(
  { cache, statistics }: CacheState,
  channel: Channel,
  request: RequestOf<typeof SaveDestination>,
): void {
  const { ttlSeconds, destination, properties, endpoint } = request
  statistics.countEarly(cache.saveDestination(ttlSeconds, destination, properties, endpoint))
  statistics.sampleKeys(cache)
  channel.send(ScacheStatusReply.encode({ status: ok }))
}

async function saveEndpoint(
  state: CacheState,
  channel: Channel,
  request: RequestOf<typeof SaveEndpoint>,
): Promise<void> {
  const { cache, statistics } = state
  const { ttlSeconds, endpoint, properties } = request
  // room first: a descriptor beyond the limit of the process could not be received
  statistics.countEarly(cache.keepAtMost(state.connectionLimit - 1))
  channel.send(dummy)
  let connection: Descriptor
  try {
    await channel.stream.flush()
    connection = await channel.stream.receiveDescriptor(true)
  } catch (error) {
    log.warning(
      `scache_save_endp_service: unable to receive file descriptor: ${errorReason(error)}`,
    )
    if (channel.stream.isOpen) channel.send(ScacheStatusReply.encode({ status: failed }))
    return
  }
  statistics.countEarly(cache.saveEndpoint(ttlSeconds, endpoint, properties, connection))
  statistics.sampleConnections(cache)
  // others have saved meanwhile, and clients have come
  statistics.countEarly(cache.keepAtMost(state.connectionLimit))
  channel.send(ScacheStatusReply.encode({ status: ok }))
}

async function findEndpoint(
  { cache, statistics }: CacheState,
  channel: Channel,
  request: RequestOf<typeof FindEndpoint>,
): Promise<void> {
  const found = cache.takeEndpoint(request.endpoint)
  statistics.countEndpoint(found !== undefined)
  if (found === undefined) {
    channel.send(FoundEndpointReply.encode({ status: failed, properties: '' }))
    return
  }
  channel.send(FoundEndpointReply.encode({ status: ok, properties: found.properties }))
  await handOut('scache_find_endp_service', channel, found.connection)
}

async function findDestination(
  { cache, statistics }: CacheState,
  channel: Channel,
  request: RequestOf<typeof FindDestination>,
): Promise<void> {
  const found = cache.takeDestination(request.destination)
  statistics.countDestination(found !== undefined)
  if (found === undefined) {
    channel.send(notFoundDestination(failed))
    return
  }
  const { destinationProperties, endpointProperties, connection } = found
  channel.send(
    FoundDestinationReply.encode({ status: ok, destinationProperties, endpointProperties }),
  )
  await handOut('scache_find_dest_service', channel, connection)
}

/** The reply is on its way; the client asks for the descriptor, and says when it has it. */
async function handOut(service: string, channel: Channel, connection: Descriptor): Promise<void> {
  try {
    Dummy.parse(await channel.receiveReply())
    await channel.stream.sendDescriptor(connection)
    Dummy.parse(await channel.receiveReply())
  } catch (error) {
    log.warning(`${service}: cannot send file descriptor: ${errorReason(error)}`)
    channel.close()
  } finally {
    connection.close()
  }
}
