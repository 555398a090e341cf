/**
 * commit-message - the end of a message: queued, held, discarded, returned, or refused
 *
 * The size record is completed, a message for the hold queue goes there before it is complete, and then one job of the
 * thread pool writes, sets the mode and waits for the disk. Only then is the status 0, and qmgr(8) is woken.
 *
 * Source: Postfix 3.7 cleanup(8); queue life cycle in docs/queue.md.
 */
import type { FlowControl } from '@posthorn/daemon/flow-control'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { MODE_READY } from '@posthorn/queue/queue-mode'
import type { SubmissionResult } from '@posthorn/wire/cleanup-protocol'
import type { CleanupContext } from './cleanup-context.ts'
import type { Message } from './message.ts'
import { returnMessage } from './return-message.ts'

export async function commitMessage(
  message: Message,
  context: CleanupContext,
  flow: FlowControl,
): Promise<SubmissionResult> {
  const { writer } = message
  if (message.has('discard') && message.status === 0) {
    writer.remove()
    return { status: 0, reason: '' }
  }
  if (message.status === 0 && message.recipientCount === 0) message.fail('recipients')
  if (message.status === 0) message.writeSize()
  if (message.status !== 0) {
    const isReturned = message.isReturnable && (await returnMessage(message, context))
    writer.remove()
    return { status: isReturned ? 0 : message.status, reason: message.reason }
  }
  try {
    if (message.has('hold')) {
      writer.moveTo('hold')
      flow.put(1) // the token was for the incoming queue
    }
    await writer.finish(MODE_READY)
  } catch (error) {
    log.warning(`${message.id}: write queue file: ${errorReason(error)}`)
    message.fail('write')
    writer.remove()
    return { status: message.status, reason: '' }
  }
  if (!message.has('hold')) context.notifier.messageQueued()
  return { status: 0, reason: '' }
}
