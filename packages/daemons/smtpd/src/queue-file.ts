/**
 * queue-file - opens, fills and closes the queue file of a transaction, by way of cleanup(8)
 */
import { formatSmtpReceived } from '@posthorn/message/received'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { log } from '@posthorn/log/log'
import { quoteAddress } from '@posthorn/address/quote-address'
import {
  CLEANUP_FLAGS,
  openCleanup,
  type SubmissionResult,
} from '@posthorn/wire/cleanup-protocol'
import type { SubmissionSession } from '@posthorn/wire/submission-session'
import { encodeEnvelope, encodeExtracted } from './envelope-records.ts'
import { literalAddress } from './session-client.ts'
import type { Session } from './session.ts'
import type { Transaction } from './transaction.ts'

/**
 * The queue file of the transaction, made when it is needed first; sends the envelope up to the recipients.
 * @throws {Error} cleanup(8) cannot be reached: the client must come again
 */
export async function openQueueFile(
  session: Session,
  transaction: Transaction,
): Promise<SubmissionSession> {
  if (transaction.queueFile !== undefined) return transaction.queueFile
  const { settings, policy } = session.host
  const flags =
    settings.cleanupFlags | (transaction.parameters.isSmtpUtf8 ? CLEANUP_FLAGS.smtpUtf8 : 0)
  const rewriteContext = await policy.rewriteContext(session)
  const queueFile = await openCleanup(settings.cleanupPath, {
    flags,
    timeoutMs: settings.ipcTimeoutMs,
  })
  transaction.queueFile = queueFile
  transaction.arrivalMs = Date.now()
  queueFile.send(encodeEnvelope(session, transaction, queueFile.queueId, rewriteContext))
  log.info(`${queueFile.queueId}: client=${session.client.label}`)
  return queueFile
}

/** The start of the content: headers from access tables, then our own Received:. */
export function encodeTraceHeaders(session: Session, transaction: Transaction): string {
  const { settings } = session.host
  const { client } = session
  const { isSmtpUtf8 } = transaction.parameters
  const lines = formatSmtpReceived({
    helo: session.helo ?? client.name,
    client: { name: client.name, address: literalAddress(client) },
    comments: [],
    hostname: settings.hostname,
    mailName: settings.mailName,
    // RFC 6531 3.7.3
    protocol: isSmtpUtf8 && session.protocol === 'ESMTP' ? 'UTF8SMTP' : session.protocol,
    queueId: transaction.queueId ?? '',
    timeMs: transaction.arrivalMs,
    ...(transaction.recipientCount === 1
      ? { onlyRecipient: quoteAddress(transaction.firstRecipient) }
      : {}),
  })
  return (
    encodeRecord(RECORD.message) +
    [...transaction.actions.prepended, ...lines]
      .map((line) => encodeRecord(RECORD.line, line))
      .join('')
  )
}

/** Ends the message and waits until it is safe, or refused. The transaction has no queue file afterwards. */
export async function finishQueueFile(
  transaction: Transaction,
  queueFile: SubmissionSession,
): Promise<SubmissionResult> {
  queueFile.send(encodeExtracted(transaction))
  return queueFile.finish()
}
