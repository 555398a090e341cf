/**
 * maildrop-file - a file in the maildrop directory, opened with suspicion
 *
 * Users write here. So: regular files only, without following links; nothing is taken from a file that is not complete
 * (mode bits), and the owner of the opened file is the submitter, whatever its name says.
 *
 * Source: Postfix 3.7 pickup(8).
 */
/* eslint-disable n/no-sync -- open, fstat and close on cached metadata: 6 us (docs/performance.md 7) */
import { closeSync, constants, fstatSync, lstatSync, openSync, type Stats } from 'node:fs'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { hasCode } from '@posthorn/queue/queue-move'
import { isReady } from '@posthorn/queue/queue-mode'

const DAY_MS = 86_400_000
/** A file that becomes this old without being taken has something wrong with it. */
const OLD_MS = DAY_MS
const OTHERS_MAY_READ = 0o004

export class MaildropFile {
  readonly path: string
  readonly fd: number
  readonly #stat: Stats

  constructor(path: string, fd: number, stat: Stats) {
    this.path = path
    this.fd = fd
    this.#stat = stat
  }

  /** The queue id that it has here, which it loses on the way. */
  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1)
  }

  get ownerId(): number {
    return this.#stat.uid
  }

  get modifiedMs(): number {
    return Math.floor(this.#stat.mtimeMs)
  }

  /** Put here by postsuper -r: it belongs to the mail system, and only that may read it. */
  isRequeued(mailOwnerId: number): boolean {
    return this.ownerId === mailOwnerId && (this.#stat.mode & OTHERS_MAY_READ) === 0
  }

  close(): void {
    closeSync(this.fd)
  }
}

/** undefined: gone, not complete, or nothing that we may take. */
export function openMaildropFile(path: string): MaildropFile | undefined {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  } catch (error) {
    if (hasCode(error, 'ELOOP')) warnOfLink(path)
    else if (!hasCode(error, 'ENOENT')) log.warning(`open ${path}: ${errorReason(error)}`)
    return undefined
  }
  const stat = fstatSync(fd)
  if (!stat.isFile() || !isReady(stat.mode)) {
    closeSync(fd)
    return undefined
  }
  return new MaildropFile(path, fd, stat)
}

function warnOfLink(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat !== undefined) log.warning(`${path}: uid ${stat.uid}: not a regular file`)
}

/** @param queueId under which the message is known from now on */
export function warnOfAge(file: MaildropFile, queueId: string): void {
  const ageMs = Date.now() - file.modifiedMs
  if (ageMs > OLD_MS) {
    log.warning(`${queueId}: message has been queued for ${Math.floor(ageMs / DAY_MS)} days`)
  } else if (ageMs < -1000) {
    const seconds = Math.ceil(-ageMs / 1000)
    log.warning(`${queueId}: message dated ${seconds} seconds into the future`)
  }
}
