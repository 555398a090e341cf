/**
 * queue-file - fills and closes the queue file of a transaction, by way of cleanup(8)
 */
import { formatSmtpReceived } from '@posthorn/message/received'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { log } from '@posthorn/log/log'
import { quoteAddress } from '@posthorn/address/quote-address'
import type { SubmissionResult } from '@posthorn/wire/cleanup-protocol'
import type { SubmissionSession } from '@posthorn/wire/submission-session'
import { encodeExtracted } from './envelope-records.ts'
import { literalAddress } from './session-client.ts'
import type { Session } from './session.ts'
import type { Transaction } from './transaction.ts'

/** The client must come again: cleanup(8) could not take the message. */
export const WRITE_ERROR = '451 4.3.0 Error: queue file write error'

/** The start of the content: headers from access tables, then our own Received:. */
export function encodeTraceHeaders(session: Session, transaction: Transaction): string {
  // a filter behind another one adds nothing: the first has told
  const isTold = transaction.filter !== undefined && session.forwarded?.hasClient === true
  const lines = isTold ? [] : receivedLines(session, transaction)
  return (
    encodeRecord(RECORD.message) +
    [...transaction.actions.prepended, ...lines]
      .map((line) => encodeRecord(RECORD.line, line))
      .join('')
  )
}

function receivedLines(session: Session, transaction: Transaction): string[] {
  const { settings } = session.host
  const { client } = session
  const { isSmtpUtf8 } = transaction.parameters
  return formatSmtpReceived({
    helo: session.helo ?? client.name,
    client: { name: client.name, address: literalAddress(client) },
    comments: [],
    hostname: settings.hostname,
    mailName: settings.mailName,
    // RFC 6531 3.7.3
    protocol: isSmtpUtf8 && session.protocol === 'ESMTP' ? 'UTF8SMTP' : session.protocol,
    ...(transaction.queueId === undefined ? {} : { queueId: transaction.queueId }),
    timeMs: transaction.arrivalMs,
    ...(transaction.onlyRecipient === undefined
      ? {}
      : { onlyRecipient: quoteAddress(transaction.onlyRecipient) }),
  })
}

/**
 * Waits until cleanup(8) has taken what was sent: a disk slower than the network must not fill our memory. When
 * cleanup(8) is lost, so is the queue file; the client hears of it at the end of the message.
 */
export async function letCleanupRead(transaction: Transaction): Promise<void> {
  const { queueFile, filter } = transaction
  if (filter !== undefined) await filter.ready()
  if (queueFile === undefined) return
  try {
    await queueFile.ready()
  } catch (error) {
    log.warning(
      `${queueFile.queueId}: cleanup: ${error instanceof Error ? error.message : String(error)}`,
    )
    transaction.cancel()
  }
}

/** Ends the message and waits until it is safe, or refused. The transaction has no queue file afterwards. */
export async function finishQueueFile(
  transaction: Transaction,
  queueFile: SubmissionSession,
): Promise<SubmissionResult> {
  queueFile.send(encodeExtracted(transaction))
  return queueFile.finish()
}
