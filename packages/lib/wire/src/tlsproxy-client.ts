/**
 * tlsproxy-client - has tlsproxy(8) speak TLS on a connection of ours
 *
 *     const { stream, context } = await openTlsproxy({ path: 'private/tlsproxy', opening, request }, descriptor)
 *
 * The stream carries the plaintext. It is a Unix-domain connection, so it can be passed on to another process (scache(8))
 * with TLS going on behind it, which is what tlsproxy(8) is for. Closing it ends the TLS session.
 * Source: Postfix 3.7 tlsproxy(8), smtp(8).
 */
import { log } from '@posthorn/log/log'
import type { Descriptor } from '@posthorn/native/descriptor'
import { errorReason } from '@posthorn/native/system-error'
import { connectStream, type ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from './channel.ts'
import {
  TlsContextList,
  TLSPROXY_FLAGS,
  TlsproxyClientRequest,
  TlsproxyOpening,
  tlsproxyProtocol,
  TlsproxyStatus,
  type TlsContext,
} from './tlsproxy-protocol.ts'
import { ProxiedHandshakeError, ServiceError } from './wire-error.ts'

export interface TlsproxyOptions {
  /** `private/tlsproxy` */
  readonly path: string
  readonly opening: Omit<Parameters<typeof TlsproxyOpening.encode>[0], 'flags'>
  readonly request: Parameters<typeof TlsproxyClientRequest.encode>[0]
  /** The context is to say what was wrong with the certificate; Postfix's tlsproxy(8) will not. */
  readonly wantsFinding?: boolean
}

export interface TlsproxySession {
  readonly stream: ByteStream
  readonly context: TlsContext
}

/** For each step before the handshake. */
const setupTimeoutMs = 10_000
/** tlsproxy(8) keeps the time of the handshake; it is waited for a little longer, to be told. */
const graceMs = 5_000

/**
 * Gives `descriptor` away: it is closed, or tlsproxy(8) has it.
 *
 * @throws {ServiceError} there will be no TLS; why has been logged, by tlsproxy(8) when the handshake failed
 */
export async function openTlsproxy(
  options: TlsproxyOptions,
  descriptor: Descriptor,
): Promise<TlsproxySession> {
  const { path, opening, request } = options
  let stream: ByteStream | undefined
  try {
    stream = await attempt(`connect to ${path} service`, async () =>
      connectStream({ family: 'unix', path }, { timeoutMs: setupTimeoutMs }),
    )
    const channel = new Channel(stream)
    await attempt(`error receiving ${path} service initial response`, async () =>
      channel.expectAnnouncement(tlsproxyProtocol),
    )
    const { client, sendContext, sendFinding } = TLSPROXY_FLAGS
    const flags = client | sendContext | (options.wantsFinding === true ? sendFinding : 0)
    channel.send(TlsproxyOpening.encode({ ...opening, flags }))
    channel.send(TlsproxyClientRequest.encode(request))
    if (!(await isReady(channel))) {
      log.warning(`${path} service role "client" is not available`)
      throw new ServiceError(`Cannot start TLS through ${path}: not available`)
    }
    await attempt(`sending file handle to ${path} service`, async () =>
      channel.stream.sendDescriptor(descriptor),
    )
    stream.timeoutMs = opening.handshakeTimeoutSeconds * 1000 + graceMs
    const context = await receiveContext(channel, path)
    return { stream, context }
  } catch (error) {
    stream?.close()
    if (error instanceof ServiceError) throw error
    throw new ServiceError(`Cannot start TLS through ${path}: ${errorReason(error)}`, {
      cause: error,
    })
  } finally {
    descriptor.close()
  }
}

/** A handshake that fails shows as a connection that is closed. */
async function receiveContext(channel: Channel, path: string): Promise<TlsContext> {
  try {
    return TlsContextList.parse(await channel.receiveReply())
  } catch (error) {
    const text = `Cannot start TLS through ${path}: ${errorReason(error)}`
    throw new ProxiedHandshakeError(text, { cause: error })
  }
}

/** As long as there is no handshake, tlsproxy(8) has logged nothing. */
async function attempt<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    log.warning(`${what}: ${errorReason(error)}`)
    throw error
  }
}

/** One that hangs up, however it came to that, is as good as one that has no TLS engine. */
async function isReady(channel: Channel): Promise<boolean> {
  const reply = await channel.receive()
  return reply !== undefined && TlsproxyStatus.parse(reply).status === 1
}
