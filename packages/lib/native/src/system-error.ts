/**
 * system-error - a failed system call as an exception
 *
 * Source: errno(3). Branch on `code`; `reason` is for log lines, in the words of strerror(3) as Postfix logs them.
 */
import { constants } from 'node:os'
import { native } from './load.ts'

const names = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]))
names.set(constants.errno.EAGAIN, 'EAGAIN')

export class SystemError extends Error {
  override readonly name = 'SystemError'
  /** 'ENOENT' */
  readonly code: string
  /** The positive number of errno(3). */
  readonly errno: number
  /** 'connect' */
  readonly syscall: string
  /** 'No such file or directory' */
  readonly reason: string

  constructor(syscall: string, errno: number) {
    const reason = native.errorText(errno)
    super(`${syscall}: ${reason}`)
    this.syscall = syscall
    this.errno = errno
    this.code = names.get(errno) ?? `E${errno}`
    this.reason = reason
  }
}

/** The words of strerror(3) for any error that names an errno: ours, or one from node:fs; else its message. */
export function errorReason(error: unknown): string {
  if (error instanceof SystemError) return error.reason
  if (error instanceof Error) {
    const errno: unknown = Reflect.get(error, 'errno')
    return typeof errno === 'number' ? native.errorText(Math.abs(errno)) : error.message
  }
  return String(error)
}

/** The `code` of a system error, ours or Node's; undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

/** The exception for a negative result of the addon. */
export function failure(result: number): SystemError {
  return new SystemError(native.failedCall(), -result)
}

/** The result of the addon when it is a success. @throws {SystemError} when it is -errno */
export function checked(result: number): number {
  if (result < 0) throw failure(result)
  return result
}
