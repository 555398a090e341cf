/**
 * restore-active - what an earlier queue manager left in the active queue goes back to the incoming one
 *
 * Messages that its agents are still delivering are among them: their locks show it when they are loaded.
 * Source: Postfix 3.7 qmgr(8).
 */
import { log } from '@posthorn/log/log'
import { findQueueId } from '@posthorn/queue/queue-id'
import type { QueueLayout } from '@posthorn/queue/queue-layout'
import { hasCode, renameInto, setRetryTime } from '@posthorn/queue/queue-move'
import { scanDirectory } from '@posthorn/queue/queue-scan'

export async function restoreActive(layout: QueueLayout): Promise<void> {
  const nowSeconds = Math.floor(Date.now() / 1000)
  for await (const { name, path } of scanDirectory('active')) {
    const id = findQueueId(name)
    if (id === undefined) {
      log.warning(`qmgr_move: ignored: queue active id ${name}`)
      continue
    }
    try {
      setRetryTime(path, nowSeconds)
      renameInto(path, layout.path('incoming', id))
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
}
