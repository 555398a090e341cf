/**
 * directory-scan - the files of one queue, a few at a time
 *
 * Depth first, in the order of the directory. However many files a queue has, a few dozen names are in memory,
 * and the caller decides how long it goes on. Files that come during a scan may or may not be seen.
 */

import { type Dir, opendirSync } from 'node:fs'
import { findQueueId, type QueueId } from '@posthorn/queue/queue-id'
import type { QueueName } from '@posthorn/queue/queue-layout'
import { hasCode } from '@posthorn/queue/queue-move'

const namesAtOnce = 64

export interface QueueEntry {
  readonly id: QueueId
  /** Where it was found, which is not where it belongs after hash_queue_names changed. */
  readonly path: string
}

export class DirectoryScan {
  private readonly stack: Dir[] = []

  constructor(queue: QueueName) {
    this.enter(queue)
  }

  /** The next file whose name is a queue id; undefined at the end. */
  next(): QueueEntry | undefined {
    for (
      let directory = this.stack.at(-1);
      directory !== undefined;
      directory = this.stack.at(-1)
    ) {
      // eslint-disable-next-line n/no-sync -- 64 names from the page cache: 20 us
      const entry = directory.readSync()
      if (entry === null) {
        this.stack.pop()
        // eslint-disable-next-line n/no-sync -- cached
        directory.closeSync()
        continue
      }
      const path = `${directory.path}/${entry.name}`
      if (entry.name.length === 1 && entry.isDirectory()) {
        this.enter(path)
        continue
      }
      const id = findQueueId(entry.name)
      if (id !== undefined) return { id, path }
    }
    return undefined
  }

  private enter(path: string): void {
    try {
      // eslint-disable-next-line n/no-sync -- cached metadata
      this.stack.push(opendirSync(path, { bufferSize: namesAtOnce }))
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
}
