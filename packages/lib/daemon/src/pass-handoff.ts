/**
 * pass-handoff - takes a client connection that another daemon passes on (master.cf type `pass`)
 *
 * postscreen(8) connects, sends the client's descriptor and then the two endpoints of the connection, which
 * the descriptor does not know when a proxy stands before it. It keeps its copy until we close the hand-off
 * connection; there is no reply. An empty list means: ask the kernel. Source: Postfix 3.7.
 */
import { peerAddress, type SocketAddress } from '@posthorn/native/socket'
import { Channel } from '@posthorn/wire/channel'
import type { AttrList } from '@posthorn/wire/attr-list'
import type { Descriptor } from '@posthorn/native/descriptor'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { AcceptedClient } from './accepted-client.ts'

export interface PassedClient {
  descriptor: Descriptor
  client: AcceptedClient
}

/** The sender did not say whose connection it is. */
export class HandoffError extends SyntaxError {
  readonly code = 'POSTHORN_PASS_HANDOFF'
}

const HANDOFF_TIMEOUT_MS = 100_000

function endpoint(attrs: AttrList, side: 'client' | 'server'): SocketAddress {
  const find = (name: string): string => attrs.find(([found]) => found === name)?.[1] ?? ''
  const address = find(`${side}_address`)
  const port = find(`${side}_port`)
  if (address === '' || !/^\d{1,5}$/.test(port)) {
    throw new HandoffError(
      `Cannot take over a passed client: ${side} address "${address}", port "${port}"`,
    )
  }
  return { family: address.includes(':') ? 'inet6' : 'inet', address, port: Number(port) }
}

/** Closes `handoff` in any case. @throws {HandoffError} attributes missing or malformed */
export async function receivePassedClient(handoff: ByteStream): Promise<PassedClient> {
  handoff.timeoutMs = HANDOFF_TIMEOUT_MS
  let descriptor: Descriptor | undefined
  try {
    descriptor = await handoff.receiveDescriptor()
    const attrs = (await new Channel(handoff).receive()) ?? []
    const client =
      attrs.length === 0
        ? new AcceptedClient(descriptor, 'passed', peerAddress(descriptor))
        : new AcceptedClient(
            descriptor,
            'passed',
            endpoint(attrs, 'client'),
            endpoint(attrs, 'server'),
          )
    return { descriptor, client }
  } catch (error) {
    descriptor?.close()
    throw error
  } finally {
    handoff.close()
  }
}
