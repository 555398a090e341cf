/**
 * stale-logs - what an earlier message with the same queue id left behind
 *
 * Short queue ids come again. A bounce or defer log that a crash left over would be taken for ours.
 */
/* eslint-disable n/no-sync -- three looks at cached directories, 2 us each (docs/performance.md 7) */
import { existsSync } from 'node:fs'
import { MESSAGE_LOGS, type QueueLayout } from '@posthorn/queue/queue-layout'
import { removeFile } from '@posthorn/queue/queue-move'
import type { QueueId } from '@posthorn/queue/queue-id'

export function removeStaleLogs(layout: QueueLayout, id: QueueId): void {
  for (const log of MESSAGE_LOGS) {
    const path = layout.path(log, id)
    if (existsSync(path)) removeFile(path)
  }
}
