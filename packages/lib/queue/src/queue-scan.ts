/**
 * queue-scan - the files of a queue, one after the other
 *
 * Depth first, in the order of the directory, at most a few hundred names in memory however many
 * files there are. Files that come or go during a scan may or may not be seen. One-character
 * entries are hash directories; maildrop has none.
 */
import { opendir } from 'node:fs/promises'
import { findQueueId, type QueueId } from './queue-id.ts'
import type { QueueName } from './queue-layout.ts'
import { hasCode } from './queue-move.ts'

export interface ScannedEntry {
  /** Last component of the path; not checked. */
  readonly name: string
  readonly path: string
  /** How many one-character directories lie between the queue and the entry. */
  readonly depth: number
}

export interface ScannedFile {
  readonly id: QueueId
  /** Where the file was found, which is not where it belongs after hash_queue_names changed. */
  readonly path: string
}

const ENTRIES_AT_ONCE = 256

/**
 * Every entry that is not a hash directory, whatever it is; the caller looks at it.
 * A directory that does not exist has no entries.
 */
export async function* scanDirectory(
  queue: QueueName,
  path: string = queue,
  depth = 0,
): AsyncGenerator<ScannedEntry, void, undefined> {
  let directory
  try {
    directory = await opendir(path, { bufferSize: ENTRIES_AT_ONCE })
  } catch (error) {
    if (hasCode(error, 'ENOENT') || (depth > 0 && hasCode(error, 'ENOTDIR'))) return
    throw error
  }
  for await (const entry of directory) {
    const below = `${path}/${entry.name}`
    if (entry.name.length === 1 && queue !== 'maildrop' && entry.isDirectory()) {
      yield* scanDirectory(queue, below, depth + 1)
    } else {
      yield { name: entry.name, path: below, depth }
    }
  }
}

/** Files whose names are queue ids; temporary files have a dot in their names and are not among them. */
export async function* scanQueue(queue: QueueName): AsyncGenerator<ScannedFile, void, undefined> {
  for await (const entry of scanDirectory(queue)) {
    const id = findQueueId(entry.name)
    if (id !== undefined) yield { id, path: entry.path }
  }
}
