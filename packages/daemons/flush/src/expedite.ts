/**
 * expedite - makes qmgr(8) try a deferred message at once
 *
 * The message's retry time becomes now, and a deferred message goes to the incoming queue, where qmgr(8) looks first.
 * The mode bit "unthrottle" makes qmgr(8) ignore what it knows of dead destinations, for this message, once.
 */
/* eslint-disable n/no-sync -- stat, chmod, utimes and rename of one file: 30 us (docs/performance.md 7) */
import { chmodSync, statSync } from 'node:fs'
import type { QueueId } from '@posthorn/queue/queue-id'
import type { QueueLayout } from '@posthorn/queue/queue-layout'
import { MODE_UNTHROTTLE } from '@posthorn/queue/queue-mode'
import { hasCode, moveQueueFile, setRetryTime } from '@posthorn/queue/queue-move'

/** @returns false when the message is in neither queue: delivered, active or on hold */
export function expediteMessage(
  layout: QueueLayout,
  id: QueueId,
  { unthrottle }: { readonly unthrottle: boolean },
): boolean {
  for (const queue of ['deferred', 'incoming'] as const) {
    const path = layout.path(queue, id)
    try {
      if (unthrottle) chmodSync(path, (statSync(path).mode & 0o777) | MODE_UNTHROTTLE)
      setRetryTime(path, Math.floor(Date.now() / 1000))
      if (queue === 'deferred') moveQueueFile(layout, 'deferred', 'incoming', id)
      return true
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
  return false
}
