/**
 * directory-scan - the files of one queue, one at a time
 *
 * Depth first. A small directory is read at once, which is several times cheaper and the usual case; a large one is
 * read in pieces, so that a million files take no memory and no time at a stretch. Files that come during a scan may
 * or may not be seen.
 */
/* eslint-disable n/no-sync -- names from the page cache: 10 us a small directory; asynchronous it is ten times that */
import { opendirSync, readdirSync, statSync } from 'node:fs'
import { findQueueId, type QueueId } from '@posthorn/queue/queue-id'
import type { QueueName } from '@posthorn/queue/queue-layout'
import { hasCode } from '@posthorn/queue/queue-move'

/** Of the directory itself: some thousand short names. */
const smallDirectoryBytes = 64 * 1024
const namesAtOnce = 64

export interface QueueEntry {
  readonly id: QueueId
  /** Where it was found, which is not where it belongs after hash_queue_names changed. */
  readonly path: string
}

interface OpenDirectory {
  readonly path: string
  /** Undefined at the end. */
  readonly nextName: () => string | undefined
}

export class DirectoryScan {
  private readonly stack: OpenDirectory[] = []

  constructor(queue: QueueName) {
    this.enter(queue)
  }

  /** The next file whose name is a queue id; undefined at the end. */
  next(): QueueEntry | undefined {
    for (let top = this.stack.at(-1); top !== undefined; top = this.stack.at(-1)) {
      const name = top.nextName()
      if (name === undefined) {
        this.stack.pop()
        continue
      }
      const path = `${top.path}/${name}`
      if (name.length === 1 && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
        this.enter(path)
        continue
      }
      const id = findQueueId(name)
      if (id !== undefined) return { id, path }
    }
    return undefined
  }

  private enter(path: string): void {
    try {
      const isSmall = statSync(path).size <= smallDirectoryBytes
      this.stack.push({ path, nextName: isSmall ? readNames(path) : streamNames(path) })
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
}

function readNames(path: string): () => string | undefined {
  const names = readdirSync(path)
  let at = 0
  return () => names[at++]
}

function streamNames(path: string): () => string | undefined {
  const directory = opendirSync(path, { bufferSize: namesAtOnce })
  return () => {
    const entry = directory.readSync()
    if (entry !== null) return entry.name
    directory.closeSync()
    return undefined
  }
}
