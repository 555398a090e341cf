/**
 * connect-stream - a stream to a listening socket
 *
 * A Unix-domain listener whose backlog is full refuses without a wait (connect(2): EAGAIN), where a blocking program
 * would sleep in the kernel; we try again every 10 ms instead.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { HANGUP, isSystemError, WRITABLE, type Descriptor } from '@posthorn/native/descriptor'
import { connectResult, connectTo, type SocketAddress } from '@posthorn/native/socket'
import { ByteStream } from './byte-stream.ts'
import { scheduleDeadline, type Deadline } from './deadline-timer.ts'
import { StreamTimeoutError } from './stream-error.ts'

const BACKLOG_RETRY_MS = 10

export interface ConnectOptions {
  /** For the connection, and then for each wait on the stream; 0 = for ever. */
  timeoutMs?: number
  /** Send and receive buffer of a TCP connection; 0 = the system's choice. */
  windowBytes?: number
  /** Where the connection comes from. */
  bind?: SocketAddress
  signal?: AbortSignal
}

/**
 * @throws {SystemError} refused, unreachable, no such socket: syscall 'connect' or 'bind'
 * @throws {StreamTimeoutError}, or the signal's reason
 */
export async function connectStream(
  address: SocketAddress,
  options: ConnectOptions = {},
): Promise<ByteStream> {
  const { timeoutMs = 0, signal } = options
  const deadlineMs = timeoutMs > 0 ? Date.now() + timeoutMs : Infinity
  signal?.throwIfAborted()
  const descriptor = await startConnection(address, options, deadlineMs)
  if (!descriptor.maybeWritable) {
    try {
      await untilWritable(descriptor, deadlineMs, signal)
      connectResult(descriptor)
    } catch (error) {
      descriptor.close()
      throw error
    }
  }
  return new ByteStream(descriptor, { timeoutMs })
}

async function startConnection(
  address: SocketAddress,
  { bind, signal, windowBytes }: ConnectOptions,
  deadlineMs: number,
): Promise<Descriptor> {
  for (;;) {
    try {
      return connectTo(address, bind, windowBytes)
    } catch (error) {
      if (address.family !== 'unix' || !isSystemError(error, 'EAGAIN')) throw error
    }
    if (Date.now() >= deadlineMs) throw timedOut()
    await sleep(BACKLOG_RETRY_MS, undefined, signal === undefined ? {} : { signal })
  }
}

async function untilWritable(
  descriptor: Descriptor,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let deadline: Deadline | undefined
  let abort: (() => void) | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      abort = () => {
        reject(
          signal?.reason instanceof Error ? signal.reason : new Error('Connection was aborted'),
        )
      }
      signal?.addEventListener('abort', abort)
      if (deadlineMs !== Infinity) {
        deadline = scheduleDeadline(deadlineMs, () => {
          reject(timedOut())
        })
      }
      descriptor.watch((ready) => {
        if ((ready & (WRITABLE | HANGUP)) !== 0) resolve()
      })
    })
  } finally {
    deadline?.cancel()
    if (abort !== undefined) signal?.removeEventListener('abort', abort)
  }
}

function timedOut(): StreamTimeoutError {
  return new StreamTimeoutError('Cannot connect: the peer did not answer in time')
}
