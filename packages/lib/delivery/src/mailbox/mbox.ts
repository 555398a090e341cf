/**
 * mbox - appends a message to a file of many
 *
 * The file must be what it seems: regular, with one link, the same before and after it was opened, and its recipient's;
 * a symbolic link only where root made it in a directory that nobody else can change. Otherwise a user could have
 * mail appended to somebody else's file. When writing fails, the file is cut to its former length.
 *
 * Source: Postfix 3.7 local(8), virtual(8); RFC 4155.
 */
/* eslint-disable n/no-sync -- lstat, open, fstat, ftruncate, close: cached metadata, 10 us each (docs/performance.md 7) */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  type Stats,
} from 'node:fs'
import { dirname } from 'node:path'
import { errorCode } from '@posthorn/native/system-error'
import { MailboxFault } from './mailbox-fault.ts'
import type { MailboxJob } from './mailbox-job.ts'
import { dropDotlock, lockFile, oneAtATime, takeDotlock } from './mailbox-lock.ts'
import { quoteFromLines } from './quote-from-lines.ts'
import { surround, writeMessage } from './write-message.ts'

const appending =
  constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY

/**
 * @param warn told what is odd and no reason to fail
 * @throws {MailboxFault}; errors of `content` as they are
 */
export async function deliverToMbox(
  job: MailboxJob,
  content: AsyncIterable<string>,
  warn: (text: string) => void,
): Promise<void> {
  await oneAtATime(job.path, async () => {
    const before = lstat(job.path)
    const wantsDotlock =
      job.methods.split(' ').includes('dotlock') && (before === undefined || before.isFile())
    const hasDotlock = wantsDotlock && (await lockBeside(job, warn))
    try {
      await append(job, content)
    } finally {
      if (hasDotlock) dropDotlock(job.path)
    }
  })
}

/** False when there can be none, and need not. */
async function lockBeside(job: MailboxJob, warn: (text: string) => void): Promise<boolean> {
  try {
    await takeDotlock(job.path, job)
    return true
  } catch (error) {
    const isHeld = error instanceof MailboxFault && errorCode(error.cause) === 'EEXIST'
    if (job.isNamedFile === 0 || isHeld || !(error instanceof MailboxFault)) throw error
    warn(error.message)
    return false
  }
}

async function append(job: MailboxJob, content: AsyncIterable<string>): Promise<void> {
  const fd = open(job)
  try {
    await lockFile(fd, job)
    // Only with the lock is the length true, and a link may have been made meanwhile.
    const stats = fstatSync(fd)
    check(job, stats)
    try {
      const text = surround(job.head, quoteFromLines(content), '\n')
      await writeMessage(fd, stats.size, job.sizeLimitBytes, text)
    } catch (error) {
      ftruncateSync(fd, stats.size)
      throw error
    }
  } finally {
    closeSync(fd)
  }
}

function open(job: MailboxJob): number {
  const existing = lstat(job.path)
  let fd
  try {
    fd =
      existing === undefined
        ? openSync(job.path, appending | constants.O_CREAT | constants.O_EXCL, 0o600)
        : openSync(job.path, appending)
  } catch (error) {
    const what = existing === undefined ? 'cannot create file exclusively' : 'cannot open file'
    throw new MailboxFault(what, { cause: error })
  }
  try {
    const stats = fstatSync(fd)
    if (existing === undefined) {
      if (stats.uid !== job.uid) fchownSync(fd, job.uid, job.gid)
      return fd
    }
    if (existing.isSymbolicLink() && !isTrustedLink(job.path, existing)) {
      throw new MailboxFault('file is a symbolic link')
    }
    if (!existing.isSymbolicLink() && (existing.ino !== stats.ino || existing.dev !== stats.dev)) {
      throw new MailboxFault('file has changed unexpectedly', { dsn: '4.2.0' })
    }
    check(job, stats)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function check(job: MailboxJob, stats: Stats): void {
  if (stats.nlink > 1) throw new MailboxFault(`file has ${stats.nlink} hard links`)
  if (!stats.isFile()) {
    throw new MailboxFault(`destination ${job.path} is not a regular file`, { dsn: '5.2.0' })
  }
  if (job.isNamedFile === 1 && (stats.mode & 0o111) !== 0) {
    throw new MailboxFault('file is executable', { dsn: '5.7.1' })
  }
  if (job.checksOwner === 1 && stats.uid !== job.uid) {
    throw new MailboxFault(`destination ${job.path} is not owned by recipient`, {
      dsn: '4.2.0',
      warnings: ['specify "strict_mailbox_ownership = no" to ignore mailbox ownership mismatch'],
    })
  }
}

function isTrustedLink(path: string, link: Stats): boolean {
  const directory = lstat(dirname(path))
  return link.uid === 0 && directory?.uid === 0 && (directory.mode & 0o022) === 0
}

/** Undefined: there is nothing, or we may not see it; opening it will tell. */
function lstat(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
