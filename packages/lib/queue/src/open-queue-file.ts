/**
 * open-queue-file - an existing message file, opened and locked
 *
 * The lock is flock(2) on the whole file and goes away when the file is closed. The queue manager
 * takes it exclusively while it loads a message, a delivery agent shared for a whole delivery: so a
 * queue manager that was restarted finds out which messages are still being delivered.
 */
/* eslint-disable n/no-sync -- open, fstat and close on cached metadata: 6 us (docs/performance.md 7) */
import { tryLock } from '@posthorn/native/lock'
import { closeSync, fstatSync, openSync, type Stats } from 'node:fs'
import { readContent } from './content-reader.ts'
import { markCorrupt, markDone } from './mark.ts'
import type { QueueId } from './queue-id.ts'
import type { QueueLayout, QueueName } from './queue-layout.ts'
import { hasCode } from './queue-move.ts'

/** Somebody else has the lock. */
export class QueueFileLockedError extends Error {
  readonly code = 'POSTHORN_QUEUE_LOCKED'
}

export class OpenQueueFile {
  readonly path: string
  readonly fd: number
  #isOpen = true

  private constructor(path: string, fd: number) {
    this.path = path
    this.fd = fd
  }

  /**
   * Opens for reading and marking. Undefined: there is no such file.
   * @throws {QueueFileLockedError} the lock is taken; errors of system calls as they are
   */
  static open(
    layout: QueueLayout,
    queue: QueueName,
    id: QueueId,
    lock: 'shared' | 'exclusive' | 'none',
  ): OpenQueueFile | undefined {
    const path = layout.path(queue, id)
    let fd
    try {
      fd = openSync(path, 'r+')
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined
      throw error
    }
    const file = new OpenQueueFile(path, fd)
    try {
      if (lock === 'none' || tryLock(fd, lock)) return file
      throw new QueueFileLockedError(`Cannot lock ${path}: it is in use`)
    } catch (error) {
      file.close()
      throw error
    }
  }

  stat(): Stats {
    return fstatSync(this.fd)
  }

  /** See readContent(). */
  content(dataOffset: number, lineEnd: '\n' | '\r\n'): AsyncGenerator<string, void, undefined> {
    return readContent(this.fd, dataOffset, lineEnd)
  }

  /** The recipient at this offset needs nothing more. */
  markDone(offset: number): void {
    markDone(this.fd, offset)
  }

  markCorrupt(): void {
    markCorrupt(this.fd)
  }

  /** Idempotent; drops the lock. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeSync(this.fd)
  }
}
