/**
 * mail-report - hands a report to cleanup(8), as mail
 *
 * From there on the queue is responsible; that it is on the disk is what "sent" means.
 */
import { formatLocalReceived } from '@posthorn/message/received'
import { errorReason } from '@posthorn/native/system-error'
import { beginInternalMail, END_OF_INTERNAL_MAIL } from '@posthorn/queue/internal-mail'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { openCleanup, type OpenCleanupOptions } from '@posthorn/wire/cleanup-protocol'
import type { DeliveryOutcome } from './delivery-outcome.ts'
import { formatReportMessage, type ReportMessage } from './report-message.ts'

export interface Cleanup extends OpenCleanupOptions {
  readonly path: string
}

async function post(cleanup: Cleanup, message: ReportMessage): Promise<DeliveryOutcome> {
  const session = await openCleanup(cleanup.path, cleanup)
  try {
    const { hostname, mailName, sender } = message.reporter
    const { queueId } = session
    const lines = [
      ...formatLocalReceived({ hostname, mailName, queueId, timeMs: message.dateMs }),
      ...formatReportMessage(message),
    ]
    session.send(
      beginInternalMail(sender, message.recipient) +
        lines.map((line) => encodeRecord(RECORD.line, line)).join('') +
        END_OF_INTERNAL_MAIL,
    )
    const { status, reason } = await session.finish()
    if (status === 0) return { kind: 'sent', text: `queued as ${queueId}` }
    return { kind: 'deferred', reason: reason === '' ? `cleanup status ${status}` : reason }
  } catch (error) {
    session.cancel()
    throw error
  }
}

/** Never rejects. */
export async function mailReport(
  cleanup: Cleanup,
  message: ReportMessage,
): Promise<DeliveryOutcome> {
  try {
    return await post(cleanup, message)
  } catch (error) {
    return { kind: 'deferred', reason: errorReason(error) }
  }
}
