/**
 * content-failure - when the text itself is at fault, and no server will have it
 *
 * Source: Postfix 3.7 smtp(8).
 */
import { log } from '@posthorn/log/log'
import { QueueFileCorruptError } from '@posthorn/queue/queue-error'
import { MimeNestingError } from './content-editor.ts'
import type { Delivery } from './delivery.ts'
import { localFailure } from './failure.ts'

/** False: the text is not at fault, and nothing was reported. */
export async function failForContent(delivery: Delivery, error: unknown): Promise<boolean> {
  if (error instanceof MimeNestingError) {
    await delivery.failMessage(localFailure('5.6.0', 'MIME nesting exceeds safety limit'))
    return true
  }
  if (!(error instanceof QueueFileCorruptError)) return false
  log.warning(`${delivery.queueId}: ${error.message}`)
  await delivery.failMessage(localFailure('5.3.0', 'unreadable mail queue entry'))
  if (delivery.job.isFinished) delivery.job.file.markCorrupt()
  return true
}
