/**
 * handshake - from a descriptor that was in plaintext to a connection of node:tls, as a client
 *
 * The descriptor goes over to libuv, for good: it cannot be had back. Nothing is decided here about certificates.
 * A server's handshake is in server-handshake.ts; what both need is here.
 */
import { Socket } from 'node:net'
import { connect, type DetailedPeerCertificate, type SecureContext, type TLSSocket } from 'node:tls'
import { Descriptor } from '@posthorn/native/descriptor'
import { errorReason } from '@posthorn/native/system-error'
import { scheduleDeadline } from '@posthorn/stream/deadline-timer'
import { libraryProblems } from './library-problem.ts'

/** Why there was no handshake. */
export class HandshakeFault extends Error {
  override readonly name = 'HandshakeFault'
  /** As `SSL_connect error to HOST: ` is followed by: `lost connection`, words of strerror(3), or -1: see `problems`. */
  readonly reason: string
  /** Of the library. */
  readonly problems: readonly string[]
  readonly isTimeout: boolean

  constructor(reason: string, problems: readonly string[] = [], isTimeout = false) {
    super(`Cannot shake hands: ${reason}`)
    this.reason = reason
    this.problems = problems
    this.isTimeout = isTimeout
  }
}

export interface HandshakeOptions {
  readonly secureContext: SecureContext
  /** Empty: none is sent. */
  readonly serverName: string
  readonly session: Buffer | undefined
  /** 0 = none. */
  readonly timeoutMs: number
  /** Gets each session that the server gives: with TLS 1.3 after the handshake. */
  readonly onSession: ((session: Buffer) => void) | undefined
}

/** Takes ownership of the descriptor. @throws {HandshakeFault} it is closed */
export async function shakeHands(
  descriptor: Descriptor,
  options: HandshakeOptions,
): Promise<TLSSocket> {
  const socket = adopt(descriptor)
  // a flight that follows another of ours would wait for an acknowledgement
  socket.setNoDelay(true)
  const secured = connect({
    socket,
    secureContext: options.secureContext,
    servername: options.serverName,
    // verification is ours: see verification.ts
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(options.session === undefined ? {} : { session: options.session }),
  })
  // node:tls would make objects of the whole chain for checkServerIdentity, 200 us, and we look at the chain ourselves
  secured.getPeerCertificate = () => NO_CERTIFICATE
  if (options.onSession !== undefined) secured.on('session', options.onSession)
  const deadlineMs = options.timeoutMs > 0 ? Date.now() + options.timeoutMs : 0
  await untilSecured(secured, 'secureConnect', deadlineMs)
  return secured
}

/** `deadlineMs`: a Date.now(); 0 = none. @throws {HandshakeFault} it is destroyed */
export async function untilSecured(
  secured: TLSSocket,
  event: 'secureConnect' | 'secure',
  deadlineMs: number,
): Promise<void> {
  // an error may come before the new owner listens: it looks at `errored`
  secured.on('error', () => undefined)
  return new Promise((resolve, reject) => {
    const fail = (fault: HandshakeFault): void => {
      deadline?.cancel()
      secured.destroy()
      reject(fault)
    }
    const deadline =
      deadlineMs > 0
        ? scheduleDeadline(deadlineMs, () => {
            fail(timeoutFault())
          })
        : undefined
    const onError = (error: Error): void => {
      fail(faultOf(error))
    }
    const onClose = (): void => {
      fail(new HandshakeFault('lost connection'))
    }
    secured.on('error', onError)
    secured.on('close', onClose)
    secured.once(event, () => {
      deadline?.cancel()
      secured.off('error', onError)
      secured.off('close', onClose)
      resolve()
    })
  })
}

export function timeoutFault(): HandshakeFault {
  return new HandshakeFault('Connection timed out', [], true)
}

const NO_CERTIFICATE = {} as DetailedPeerCertificate

/** Takes ownership. @throws {HandshakeFault} it is closed */
export function adopt(descriptor: Descriptor): Socket {
  const fd = descriptor.release()
  try {
    return new Socket({ fd })
  } catch (error) {
    Descriptor.adopt(fd).close()
    throw new HandshakeFault(errorReason(error))
  }
}

function faultOf(error: Error): HandshakeFault {
  const problems = libraryProblems(error)
  if (problems.length > 0) return new HandshakeFault('-1', problems)
  // its code is ECONNRESET as well
  if (error.message.startsWith('Client network socket disconnected')) {
    return new HandshakeFault('lost connection')
  }
  return new HandshakeFault(errorReason(error))
}
