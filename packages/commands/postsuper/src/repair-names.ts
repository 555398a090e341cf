/**
 * repair-names - message names that match their inode numbers
 *
 * A queue id contains the inode number of its file. After a copy or a restore it does not, and two
 * messages could get the same id. Renaming takes two passes, because a new name may still be the old
 * name of another message:
 *
 *   1  logs, then the message:  OLDID -> NEWID#FIX     a message never appears before its logs
 *   2  NEWID#FIX -> NEWID
 *
 * An interrupted repair is finished by the next one.
 * Source: Postfix 3.7 postsuper(1).
 */
import { log } from '@posthorn/log/log'
import { findQueueId, renameForInode, splitQueueId, type QueueId } from '@posthorn/queue/queue-id'
import { MESSAGE_LOGS, type QueueLayout } from '@posthorn/queue/queue-layout'
import { renameInto } from '@posthorn/queue/queue-move'
import { findStat } from './message-actions.ts'
import { attempt } from './operation-error.ts'
import type { WalkedFile } from './queue-walk.ts'

/** Of names between the two passes. */
export const SUFFIX = '#FIX'

export class NameRepair {
  /** Messages that got another name, or are about to: those of an interrupted run. */
  renamedCount = 0
  /** Files that wait for the second pass, those of an interrupted run included. */
  pendingCount = 0
  readonly #layout: QueueLayout
  readonly #checksLongIds: boolean

  constructor(layout: QueueLayout, checksLongIds: boolean) {
    this.#layout = layout
    this.#checksLongIds = checksLongIds
  }

  /** First pass. The name under which the file now is where it belongs; undefined: it is settled. */
  checkMessage(file: WalkedFile): QueueId | undefined {
    if (file.name.endsWith(SUFFIX)) {
      this.renamedCount += 1
      this.pendingCount += 1
      return undefined
    }
    const id = findQueueId(file.name)
    const inode = id === undefined ? undefined : inodeOf(id)
    if (id === undefined || inode === undefined) {
      warnBogus(file)
      return undefined
    }
    const { isLong } = splitQueueId(id)
    const mustShorten = isLong && !this.#layout.longIds
    const isChecked = !isLong || this.#checksLongIds
    if (!mustShorten && (!isChecked || inode === file.stat.ino)) return id
    this.#rename(file, id)
    return undefined
  }

  /** Second pass, for logs and messages. As checkMessage(). */
  finishName(file: WalkedFile, isMessage: boolean): QueueId | undefined {
    const isFixed = file.name.endsWith(SUFFIX)
    const id = findQueueId(isFixed ? file.name.slice(0, -SUFFIX.length) : file.name)
    if (id === undefined || (isMessage && inodeOf(id) === undefined)) {
      warnBogus(file)
      return undefined
    }
    const { isLong } = splitQueueId(id)
    if (isMessage && !isLong && inodeOf(id) !== file.stat.ino) {
      log.warning(`name/inode mismatch: ${file.path}`)
      return undefined
    }
    return id
  }

  #rename(file: WalkedFile, id: QueueId): void {
    const target = renameForInode(id, file.stat.ino, this.#layout.longIds)
    for (const name of MESSAGE_LOGS) {
      const from = this.#layout.path(name, id)
      if (findStat(from) !== undefined) rename(from, this.#layout.path(name, target) + SUFFIX)
    }
    rename(file.path, this.#layout.path(file.queue, target) + SUFFIX)
    this.renamedCount += 1
    this.pendingCount += 1
  }
}

export function warnBogus(file: WalkedFile): void {
  log.warning(`bogus file name: ${file.path}`)
}

export function rename(from: string, to: string): void {
  attempt(`rename file ${from} as ${to}`, () => {
    renameInto(from, to)
  })
}

/** -1 for an id that ends where its inode number should be; undefined for a malformed one. */
function inodeOf(id: QueueId): number | undefined {
  const { isLong, inode } = splitQueueId(id)
  return (isLong ? id.endsWith('z') : id.length === 5) ? -1 : inode
}
