/**
 * maildir - one file for each message, without locks
 *
 *     tmp/SECONDS.P<pid>Q<n>.HOST  ──written, on the disk──rename──▶  new/SECONDS.V<device>I<inode>M<microseconds>.HOST
 *
 * A reader never sees half a message, and no two deliveries ever have the same name: the inode is in it. The three
 * directories are made when they are missing.
 * Source: D. J. Bernstein, "Using maildir format"; Postfix 3.7 local(8), virtual(8).
 */
/* eslint-disable n/no-sync -- open, fstat, close, rename: cached metadata, 10 us each (docs/performance.md 7) */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  type Stats,
  unlinkSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { errorCode, errorReason } from '@posthorn/native/system-error'
import { MailboxFault } from './mailbox-fault.ts'
import type { MailboxJob } from './mailbox-job.ts'
import { surround, writeMessage } from './write-message.ts'

let deliveryCount = 0
// A slash or a colon in the name would end it early for some reader.
const host = hostname().replaceAll('/', '\\057').replaceAll(':', '\\072')

/** @throws {MailboxFault}; errors of `content` as they are. The maildir is then as it was */
export async function deliverToMaildir(
  job: MailboxJob,
  content: AsyncIterable<string>,
): Promise<void> {
  const micros = Math.floor((performance.timeOrigin + performance.now()) * 1000)
  const seconds = Math.floor(micros / 1_000_000)
  deliveryCount += 1
  const temporary = `${job.path}tmp/${seconds}.P${process.pid}Q${deliveryCount}.${host}`
  const fd = attempt(job, temporary, () => openTemporary(job.path, temporary))
  let isDone = false
  try {
    const stats = await fill(fd, job, content)
    const unique = `V${stats.dev.toString(16)}I${stats.ino.toString(16)}M${micros % 1_000_000}`
    const name = `${job.path}new/${seconds}.${unique}.${host}`
    attempt(job, name, () => {
      renameMaking(job.path, temporary, name)
    })
    isDone = true
  } finally {
    if (!isDone) unlinkSync(temporary)
  }
}

async function fill(fd: number, job: MailboxJob, content: AsyncIterable<string>): Promise<Stats> {
  try {
    await writeMessage(fd, 0, job.sizeLimitBytes, surround(job.head, content, ''))
    return fstatSync(fd)
  } finally {
    closeSync(fd)
  }
}

function openTemporary(maildir: string, path: string): number {
  try {
    return openSync(path, 'wx', 0o600)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
  makeDirectory(`${maildir}tmp`)
  makeDirectory(`${maildir}new`)
  makeDirectory(`${maildir}cur`)
  return openSync(path, 'wx', 0o600)
}

function renameMaking(maildir: string, from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    makeDirectory(`${maildir}new`)
    renameSync(from, to)
  }
}

function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
}

function attempt<T>(job: MailboxJob, path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    const reason = `create maildir file ${path}`
    const isForbidden = errorCode(error) === 'EACCES'
    const { uid, gid } = job
    throw new MailboxFault(reason, {
      cause: error,
      warnings: isForbidden
        ? [
            `maildir access problem for UID/GID=${uid}/${gid}: ${reason}: ${errorReason(error)}`,
            'perhaps you need to create the maildirs in advance',
          ]
        : [],
    })
  }
}
