/**
 * mailbox-lock - keeps other programs away from an mbox file while we append to it
 *
 *     dotlock (PATH.lock exists)  ──▶  open  ──▶  flock(2)  ──▶  fcntl(2)
 *
 * Which of them mail readers respect differs, so all that are configured are taken, in this order. A dotlock that is
 * older than stale_lock_time was left by a crash and is removed. An fcntl(2) lock is the process's, and of no use
 * between two deliveries of one process: those wait for each other by path.
 *
 * Source: Postfix 3.7 mailbox_delivery_lock, deliver_lock_attempts in postconf(5).
 */
/* eslint-disable n/no-sync -- create, stat and unlink of a lock file: 10 us each (docs/performance.md 7) */
import { closeSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { tryFcntlLock, tryLock } from '@posthorn/native/lock'
import { errorCode, SystemError } from '@posthorn/native/system-error'
import { MailboxFault } from './mailbox-fault.ts'
import type { MailboxLocking } from './mailbox-job.ts'

const EAGAIN = 11

/** Paths that a delivery of this process has locked, with the end of the last one that waits. */
const queues = new Map<string, Promise<void>>()

/** Runs `work` when no other delivery of this process is at the same path. */
export async function oneAtATime<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(path) ?? Promise.resolve()
  const { promise: done, resolve } = Promise.withResolvers<undefined>()
  const mine = before.then(async () => done)
  queues.set(path, mine)
  await before
  try {
    return await work()
  } finally {
    resolve(undefined)
    if (queues.get(path) === mine) queues.delete(path)
  }
}

/** Creates PATH.lock. @throws {MailboxFault} somebody holds it for too long, or it cannot be created */
export async function takeDotlock(path: string, locking: MailboxLocking): Promise<void> {
  const lockPath = `${path}.lock`
  for (let attempt = 1; ; attempt += 1) {
    try {
      closeSync(openSync(lockPath, 'wx', 0))
      return
    } catch (error) {
      if (errorCode(error) !== 'EEXIST' || attempt >= locking.attempts) {
        throw new MailboxFault(`unable to create lock file ${lockPath}`, { cause: error })
      }
      removeStale(lockPath, locking.staleSeconds)
    }
    await pause(delayMs(locking))
  }
}

export function dropDotlock(path: string): void {
  unlinkSync(`${path}.lock`)
}

/** flock(2) and fcntl(2), as configured. They end when the file is closed. */
export async function lockFile(fd: number, locking: MailboxLocking): Promise<void> {
  const methods = locking.methods.split(' ')
  if (methods.includes('flock')) await persist(locking, () => tryLock(fd, 'exclusive'))
  if (methods.includes('fcntl')) await persist(locking, () => tryFcntlLock(fd, 'exclusive'))
}

async function persist(locking: MailboxLocking, tryOnce: () => boolean): Promise<void> {
  for (let attempt = 1; !tryOnce(); attempt += 1) {
    if (attempt >= locking.attempts) {
      throw new MailboxFault('unable to lock for exclusive access', {
        cause: new SystemError('lock', EAGAIN),
      })
    }
    await pause(delayMs(locking))
  }
}

/** Between half and one and a half of the delay, so that those who wait do not meet again. */
function delayMs({ delaySeconds }: MailboxLocking): number {
  return delaySeconds * 1000 * (0.5 + Math.random())
}

function removeStale(lockPath: string, staleSeconds: number): void {
  const stats = lstatSync(lockPath, { throwIfNoEntry: false })
  if (stats === undefined || stats.ctimeMs > Date.now() - staleSeconds * 1000) return
  try {
    unlinkSync(lockPath)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT')
      throw new MailboxFault(`remove stale ${lockPath}`, { cause: error })
  }
}
