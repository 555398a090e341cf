/**
 * find-queue-file - the file of a message, in whichever queue it is
 *
 * A message can move while we look, so we look twice. The queue directory is the working directory.
 */
import { openSync } from 'node:fs'
import type { QueueId } from '@posthorn/queue/queue-id'
import type { QueueLayout } from '@posthorn/queue/queue-layout'
import { hasCode } from '@posthorn/queue/queue-move'

const SEARCHED = ['maildrop', 'incoming', 'active', 'deferred', 'hold', 'saved'] as const

export interface FoundQueueFile {
  readonly fd: number
  /** Relative to the queue directory. */
  readonly path: string
}

/** Opened for reading; undefined when there is none. */
export function findQueueFile(layout: QueueLayout, id: QueueId): FoundQueueFile | undefined {
  for (const queue of [...SEARCHED, ...SEARCHED]) {
    const path = layout.path(queue, id)
    try {
      // eslint-disable-next-line n/no-sync -- a command that has nothing else to do
      return { fd: openSync(path, 'r'), path }
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
  return undefined
}
