/**
 * lock - whole-file locks: flock(2) among Postfix programs, fcntl(2) for mailboxes
 *
 * A flock(2) lock belongs to the open file: it ends with unlock() or when the last copy of the descriptor is closed. An
 * fcntl(2) lock belongs to the process and ends when the process closes any descriptor of that file.
 */
import { native } from './load.ts'
import { checked, failure, SystemError } from './system-error.ts'

export type LockKind = 'shared' | 'exclusive'

const OPERATION = { shared: 1, exclusive: 2 } as const
const UNLOCK = 8
const FCNTL_TYPE = { shared: 0, exclusive: 1 } as const
const FCNTL_UNLOCK = 2
const EAGAIN = -11
const EACCES = -13

/** false: somebody else holds it. @throws {SystemError} */
export function tryLock(fd: number, kind: LockKind): boolean {
  const result = native.flock(fd, OPERATION[kind])
  if (result === EAGAIN) return false
  checked(result)
  return true
}

export function unlock(fd: number): void {
  checked(native.flock(fd, UNLOCK))
}

/**
 * Waits for the lock, in a thread of its own when somebody else holds it. After an abort, close the descriptor: else
 * the lock may still come, and stay.
 * @throws {SystemError}, or the signal's reason
 */
export async function waitLock(fd: number, kind: LockKind, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  if (tryLock(fd, kind)) return
  const waiting = native.flockWait(fd, OPERATION[kind])
  if (typeof waiting === 'number') throw failure(waiting)
  const locked = waiting.then((result) => {
    if (result !== undefined) throw new SystemError(result[1], result[0])
  })
  if (signal === undefined) return locked
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => {
    reject(signal.reason instanceof Error ? signal.reason : new Error('Lock wait was aborted'))
  }
  signal.addEventListener('abort', abort)
  try {
    await Promise.race([locked, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** false: another process holds it. @throws {SystemError} */
export function tryFcntlLock(fd: number, kind: LockKind): boolean {
  const result = native.fcntlLock(fd, FCNTL_TYPE[kind])
  if (result === EAGAIN || result === EACCES) return false
  checked(result)
  return true
}

export function fcntlUnlock(fd: number): void {
  checked(native.fcntlLock(fd, FCNTL_UNLOCK))
}
