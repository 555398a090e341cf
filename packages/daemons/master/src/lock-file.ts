/**
 * lock-file - there is one master per queue directory, and one per data directory
 *
 * The file holds the process id, right-aligned in 32 columns; what counts is the flock(2), which ends with the process.
 * The file stays open, and is never removed. Source: Postfix 3.7 master(8).
 */
/* eslint-disable n/no-sync -- twice, at start */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { ConfigError } from '@posthorn/config/config-error'
import { tryLock } from '@posthorn/native/lock'
import { errorCode, errorReason } from '@posthorn/native/system-error'

const { O_RDWR, O_CREAT } = constants
const HELD = 'unable to set exclusive lock: Resource temporarily unavailable'

/** Takes the lock for the life of this process. @throws {ConfigError} somebody else has it, or no such directory */
export function takeLockFile(path: string): void {
  let fd: number
  try {
    fd = openSync(path, O_RDWR | O_CREAT, 0o644)
  } catch (error) {
    // Postfix opens what is there, and creates what is not
    const attempt = errorCode(error) === 'ENOENT' ? 'create file exclusively' : 'open file'
    throw new ConfigError(`open lock file ${path}: cannot ${attempt}: ${errorReason(error)}`, {
      cause: error,
    })
  }
  if (!tryLock(fd, 'exclusive')) {
    closeSync(fd)
    throw new ConfigError(`open lock file ${path}: ${HELD}`)
  }
  writeSync(fd, `${String(process.pid).padStart(32)}\n`, 0)
}

/** Whether a running process holds the lock. @throws {ConfigError} the file cannot be opened */
export function isLockHeld(path: string): boolean {
  let fd: number
  try {
    fd = openSync(path, O_RDWR)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw new ConfigError(`open lock file ${path}: cannot open file: ${errorReason(error)}`, {
      cause: error,
    })
  }
  try {
    return !tryLock(fd, 'exclusive')
  } finally {
    closeSync(fd)
  }
}
