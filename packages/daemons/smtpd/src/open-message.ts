/**
 * open-message - finds somebody to take the message: cleanup(8), or a filter before the queue
 */
import { log } from '@posthorn/log/log'
import { CLEANUP_FLAGS, openCleanup } from '@posthorn/wire/cleanup-protocol'
import type { SubmissionSession } from '@posthorn/wire/submission-session'
import { encodeEnvelope } from './envelope-records.ts'
import { originLabel } from './forwarded-origin.ts'
import { openPostdropMessage } from './postdrop-message.ts'
import { ProxyFilter, type FilterReply } from './proxy-filter.ts'
import { WRITE_ERROR } from './queue-file.ts'
import type { Session } from './session.ts'
import type { Transaction } from './transaction.ts'

/**
 * Opens what takes the message, when it is needed first; the envelope up to the recipients is there then. The reply
 * when nobody takes it, after a log line.
 */
export async function openMessage(
  session: Session,
  transaction: Transaction,
): Promise<FilterReply | undefined> {
  if (transaction.queueFile !== undefined || transaction.filter !== undefined) return undefined
  const { settings } = session.host
  if (session.client.isLocalUser) return openSubmission(session, transaction)
  const failure =
    settings.proxyFilter === undefined
      ? await openQueueFile(session, transaction)
      : await openFilter(session, transaction)
  if (failure !== undefined) return failure
  transaction.arrivalMs = Date.now()
  sendEnvelope(session, transaction)
  log.info(`${session.queueName}: client=${session.client.label}${originWords(session)}`)
  return undefined
}

function sendEnvelope(session: Session, transaction: Transaction): void {
  const { queueFile } = transaction
  if (queueFile === undefined) return
  const { queueId } = queueFile
  const context = session.forwarded?.context ?? session.rewriteContext
  queueFile.send(encodeEnvelope(session, transaction, queueId, context))
}

async function openQueueFile(
  session: Session,
  transaction: Transaction,
): Promise<FilterReply | undefined> {
  const { settings } = session.host
  const flags =
    settings.cleanupFlags | (transaction.parameters.isSmtpUtf8 ? CLEANUP_FLAGS.smtpUtf8 : 0)
  const { cleanupPath, ipcTimeoutMs: timeoutMs } = settings
  let queueFile: SubmissionSession
  try {
    queueFile = await openCleanup(cleanupPath, { flags, timeoutMs, pool: session.host.cleanups })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log.warning(`connect to ${cleanupPath}: ${reason}`)
    return [WRITE_ERROR]
  }
  transaction.queueFile = queueFile
  return undefined
}

/** A local user has no access to cleanup(8). */
async function openSubmission(
  session: Session,
  transaction: Transaction,
): Promise<FilterReply | undefined> {
  const { postdropPath, configDirectory } = session.host.settings
  try {
    transaction.queueFile = await openPostdropMessage(postdropPath, configDirectory, transaction)
  } catch (error) {
    log.warning(`${postdropPath}: ${error instanceof Error ? error.message : String(error)}`)
    return [WRITE_ERROR]
  }
  transaction.arrivalMs = Date.now()
  log.info(`${session.queueName}: client=${session.client.label}`)
  return undefined
}

async function openFilter(
  session: Session,
  transaction: Transaction,
): Promise<FilterReply | undefined> {
  const { proxyFilter } = session.host.settings
  if (proxyFilter === undefined) return [WRITE_ERROR]
  const opened = await ProxyFilter.open(proxyFilter, session, transaction.mailCommand)
  if (!(opened instanceof ProxyFilter)) return opened
  transaction.filter = opened
  return undefined
}

/** `, orig_queue_id=…, orig_client=…`: what XFORWARD has told. */
function originWords({ forwarded, host }: Session): string {
  if (forwarded === undefined) return ''
  const ident = forwarded.ident === undefined ? '' : `, orig_queue_id=${forwarded.ident}`
  if (!forwarded.hasClient) return ident
  return `${ident}, orig_client=${originLabel(forwarded, host.settings.isPortLogged)}`
}
