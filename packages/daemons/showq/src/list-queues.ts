/**
 * list-queues - every message in the queue, queue by queue
 *
 * Limits: one message at a time is in memory, and of a message with very many recipients a part.
 */
import { errorReason } from '@posthorn/native/system-error'
import { isForceExpired, isReady } from '@posthorn/queue/queue-mode'
import type { MessageQueue, QueueLayout } from '@posthorn/queue/queue-layout'
import { hasCode } from '@posthorn/queue/queue-move'
import { scanQueue, type ScannedFile } from '@posthorn/queue/queue-scan'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describeMessage, type DescribeOptions } from './describe-message.ts'

const LISTED_QUEUES = ['maildrop', 'active', 'incoming', 'deferred', 'hold'] as const
/** Reading so many small files takes about 5 ms. */
const MESSAGES_PER_TURN = 64

/** Encoded pieces of the listing, without its end. */
export async function* listQueues(
  layout: QueueLayout,
  options: DescribeOptions,
): AsyncGenerator<string, void, undefined> {
  let count = 0
  for (const queue of LISTED_QUEUES) {
    for await (const file of scanQueue(queue)) {
      yield* listFile(layout, queue, file, options)
      count += 1
      if (count % MESSAGES_PER_TURN === 0) await nextTurn()
    }
  }
}

async function* listFile(
  layout: QueueLayout,
  queue: MessageQueue,
  { id, path }: ScannedFile,
  options: DescribeOptions,
): AsyncGenerator<string, void, undefined> {
  let fd
  try {
    // eslint-disable-next-line n/no-sync -- cached metadata: 6 us with fstat and close (docs/performance.md 7)
    fd = openSync(path, 'r')
  } catch (error) {
    // It was delivered or moved on since its name was read.
    if (!hasCode(error, 'ENOENT')) options.warn(`open ${path}: ${errorReason(error)}`)
    return
  }
  try {
    // eslint-disable-next-line n/no-sync -- see above
    const stat = fstatSync(fd)
    if (!stat.isFile() || !isReady(stat.mode)) return
    const message = {
      queue,
      id,
      fd,
      sizeBytes: stat.size,
      modifiedSeconds: Math.floor(stat.mtimeMs / 1000),
      isForceExpired: isForceExpired(stat.mode),
    }
    yield* describeMessage(layout, message, options)
  } finally {
    // eslint-disable-next-line n/no-sync -- see above
    closeSync(fd)
  }
}
