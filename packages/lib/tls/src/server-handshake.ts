/**
 * server-handshake - from a descriptor that was in plaintext to a connection of node:tls, as a server
 *
 * The ClientHello is read here, as what it says decides about the context that OpenSSL gets (client-hello.ts); OpenSSL then
 * gets it again, as it came.
 *
 * This file is the only one that knows what node:tls has no public name for, as Node.js 24 has it: a TLSSocket that did not
 * come from tls.Server keeps its errors to itself until its control is released, does not say what OpenSSL thinks of the client's
 * certificate, and asks its `server` about sessions. Where any of it is gone, certificates are not trusted and sessions not
 * resumed; server-engine.test.ts would say so.
 */
import { Server } from 'node:net'
import { TLSSocket, type SecureContext } from 'node:tls'
import type { Descriptor } from '@posthorn/native/descriptor'
import { EndOfStreamError, StreamTimeoutError, type ByteStream } from '@posthorn/stream/byte-stream'
import { NO_HELLO, parseClientHello, type ClientHello } from './client-hello.ts'
import { adopt, HandshakeFault, timeoutFault, untilSecured } from './handshake.ts'

export interface ReceivedHello {
  readonly hello: ClientHello
  /** All that has come so far. */
  readonly octets: string
}

/** `deadlineMs`: a Date.now(); 0 = none. @throws {HandshakeFault} */
export async function receiveHello(stream: ByteStream, deadlineMs: number): Promise<ReceivedHello> {
  const { timeoutMs, deadlineMs: earlierMs } = stream
  stream.timeoutMs = 0
  stream.deadlineMs = deadlineMs
  try {
    await stream.flush()
    // what came in plaintext is forgotten: RFC 3207 4.2
    stream.take(stream.buffered.length)
    for (;;) {
      const hello = stream.buffered === '' ? 'more' : parseClientHello(stream.buffered)
      if (hello !== 'more') {
        const octets = stream.take(stream.buffered.length)
        return { hello: hello === 'none' ? NO_HELLO : hello, octets }
      }
      if (!(await stream.fill())) throw new HandshakeFault('lost connection')
    }
  } catch (error) {
    if (error instanceof StreamTimeoutError) throw timeoutFault()
    if (error instanceof EndOfStreamError) throw lostConnection(error)
    throw error
  } finally {
    stream.timeoutMs = timeoutMs
    stream.deadlineMs = earlierMs
  }
}

/** As the kernel words it, where it was the one to say so. */
function lostConnection({ cause }: EndOfStreamError): HandshakeFault {
  const reason: unknown = cause instanceof Error ? Reflect.get(cause, 'reason') : undefined
  return new HandshakeFault(typeof reason === 'string' ? reason : 'lost connection')
}

/** Where sessions with an id are kept. Both are waited for. */
export interface IdSessions {
  readonly find: (id: Buffer) => Promise<Buffer | undefined>
  readonly store: (id: Buffer, session: Buffer) => void
}

export interface AcceptOptions {
  readonly secureContext: SecureContext
  readonly asksForCertificate: boolean
  readonly sessions: IdSessions | undefined
  /** What has been received. */
  readonly octets: string
  /** A Date.now(); 0 = none. */
  readonly deadlineMs: number
}

/** Takes ownership of the descriptor. @throws {HandshakeFault} it is closed */
export async function acceptHandshake(
  descriptor: Descriptor,
  options: AcceptOptions,
): Promise<TLSSocket> {
  const socket = adopt(descriptor)
  // a flight that follows another of ours would wait for an acknowledgement
  socket.setNoDelay(true)
  socket.unshift(Buffer.from(options.octets, 'latin1'))
  const { secureContext, asksForCertificate, sessions } = options
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext,
    requestCert: asksForCertificate,
    // who has none, or a bad one, is not sent away: Postfix 3.7 postconf(5) smtpd_tls_req_ccert, as tlsproxy(8) behaves
    rejectUnauthorized: false,
    ...(sessions === undefined ? {} : { server: sessionServer(sessions) }),
  })
  // until then errors are for a tls.Server to report
  callMethod(secured, '_releaseControl')
  await untilSecured(secured, 'secure', options.deadlineMs)
  return secured
}

/** What node:tls asks for sessions; it listens nowhere. */
function sessionServer(sessions: IdSessions): Server {
  const server = new Server()
  server.on('newSession', (id: Buffer, session: Buffer, done: () => void) => {
    sessions.store(id, session)
    done()
  })
  type Answer = (error: Error | null, session: Buffer | null) => void
  server.on('resumeSession', (id: Buffer, answer: Answer) => {
    sessions.find(id).then(
      (session) => {
        answer(null, session ?? null)
      },
      () => {
        answer(null, null)
      },
    )
  })
  return server
}

/** The word of OpenSSL for what is wrong with the client's certificate; undefined: nothing is. */
export function verifyError(socket: TLSSocket): string | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null) return UNKNOWN
  const answer = callMethod(handle, 'verifyError')
  if (answer === undefined || answer === null) return undefined
  const code: unknown = answer instanceof Error ? Reflect.get(answer, 'code') : undefined
  return typeof code === 'string' ? code : UNKNOWN
}

const UNKNOWN = 'UNSPECIFIED'

/** Of no use: there is no such method. */
const MISSING = new Error('Cannot call method: this Node.js has it no more')

function callMethod(object: object, name: string): unknown {
  const method: unknown = Reflect.get(object, name)
  if (typeof method !== 'function') return MISSING
  return Reflect.apply(method, object, [])
}
