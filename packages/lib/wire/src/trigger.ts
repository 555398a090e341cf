/**
 * trigger - wake a daemon up
 *
 * Over a Unix-domain socket: the characters and one NUL, and the connection stays open until the server closes it.
 * Over a FIFO: the characters alone, written without waiting for a reader. The file type tells which.
 * A server that announces a protocol (flush, tlsmgr) reads the characters all the same.
 *
 * Source: Postfix 3.7 triggers; the characters for qmgr(8) are in qmgrTrigger.
 */
import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs'
import { errorReason } from '@posthorn/native/system-error'
import { connectStream, type ByteStream } from '@posthorn/stream/byte-stream'
import { scheduleDeadline } from '@posthorn/stream/deadline-timer'

/** What qmgr(8) understands; other services take `W`. */
export const qmgrTrigger = {
  scanIncoming: 'I',
  scanDeferred: 'D',
  forgetDead: 'F',
  ignoreTimeStamps: 'A',
  wakeUp: 'W',
} as const

const patienceMs = 100_000

/** What stands at the path cannot be woken up. */
export class NoEndpointError extends TypeError {
  override readonly name = 'NoEndpointError'
  readonly code = 'POSTHORN_NO_ENDPOINT'
}

/** What commands warn of: nothing to connect to. undefined: it is there, but nobody listens, which goes without saying. */
export function endpointProblem(path: string, error: unknown): string | undefined {
  if (error instanceof NoEndpointError) return error.message
  const isLookup = error instanceof Error && 'syscall' in error && error.syscall === 'stat'
  return isLookup ? `unable to look up ${path}: ${errorReason(error)}` : undefined
}

/**
 * Resolves when the octets are in the kernel; the connection then closes by itself.
 *
 * @throws {NoEndpointError} neither socket nor FIFO
 * @throws {SystemError | Error} nobody listens at `path`, or nobody reads the FIFO
 * @throws {StreamTimeoutError} after `timeoutMs`
 */
export async function trigger(path: string, octets: string, timeoutMs: number): Promise<void> {
  // eslint-disable-next-line n/no-sync -- cached metadata, 2 us (docs/performance.md 7)
  const stats = statSync(path)
  if (stats.isFIFO()) {
    writeFifo(path, octets)
    return
  }
  if (!stats.isSocket()) throw new NoEndpointError(`${path} is not a socket or a fifo`)
  const stream = await connectStream({ family: 'unix', path }, { timeoutMs })
  try {
    stream.write(`${octets}\0`)
    await stream.flush()
  } catch (error) {
    stream.close()
    throw error
  }
  closeWhenHeard(stream, timeoutMs + patienceMs)
}

function closeWhenHeard(stream: ByteStream, waitMs: number): void {
  const deadline = scheduleDeadline(Date.now() + waitMs, () => {
    stream.close()
  })
  stream.watchHangup(() => {
    deadline.cancel()
    stream.close()
  })
}

/* eslint-disable n/no-sync -- a non-blocking FIFO: these calls never wait */
function writeFifo(path: string, octets: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  try {
    writeSync(fd, octets, null, 'latin1')
  } finally {
    closeSync(fd)
  }
}
