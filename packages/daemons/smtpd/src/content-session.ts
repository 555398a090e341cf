/**
 * content-session - the end of a message: what cleanup(8) said becomes the reply
 *
 * 250 is said only when cleanup(8) has the message on disk. Source: Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import { CLEANUP_STATUS, type SubmissionResult } from '@posthorn/wire/cleanup-protocol'
import { ContentRecords } from './content-records.ts'
import type { FilterReply, ProxyFilter } from './proxy-filter.ts'
import { encodeTraceHeaders, finishQueueFile, WRITE_ERROR } from './queue-file.ts'
import type { Session } from './session.ts'
import type { Transaction } from './transaction.ts'

/** Starts the content: our headers, and the converter for what follows. The reply of a filter that wants none. */
export async function beginContent(
  session: Session,
  transaction: Transaction,
): Promise<ContentRecords | FilterReply> {
  const go = await transaction.filter?.command('DATA')
  if (go !== undefined && go[0]?.startsWith('354') !== true) return go
  const { lineLengthLimit, messageSizeLimit } = session.host.settings
  const rules = {
    lineLimit: lineLengthLimit,
    sizeLimit: messageSizeLimit,
    bareNewline: session.bareNewline,
  }
  const content = new ContentRecords(rules, encodeTraceHeaders(session, transaction))
  transaction.content = content
  return content
}

/** Hands what was converted to cleanup(8). False: the message is too big, and nothing goes there any more. */
export function sendContent(
  session: Session,
  transaction: Transaction,
  content: ContentRecords,
): void {
  const { queueFile, filter } = transaction
  if (queueFile === undefined && filter === undefined) return
  if (content.isOversize) {
    log.warning(`${session.queueName}: queue file size limit exceeded`)
    transaction.cancel()
    return
  }
  const records = content.takeRecords()
  if (records === '') return
  queueFile?.send(records)
  filter?.send(records)
}

/** What to reply when cleanup(8) has refused; `reason` is a complete reply where the caller asked for that. */
function failureReply(result: SubmissionResult, hostname: string, rejectCode: number): string {
  const { status, reason } = result
  const has = (bit: number): boolean => (status & bit) !== 0
  const withReason = (code: string, text: string): string =>
    reason === '' ? `${code} Error: ${text}` : withCode(code, reason)
  if (has(CLEANUP_STATUS.bareLf)) {
    return `${rejectCode} 5.5.2 ${hostname} Error: bare <LF> received`
  }
  if (has(CLEANUP_STATUS.defer)) return withReason('451 4.7.1', 'service unavailable')
  if (has(CLEANUP_STATUS.proxy)) return WRITE_ERROR
  if (has(CLEANUP_STATUS.bad)) return `451 4.3.0 Error: internal error ${status}`
  if (has(CLEANUP_STATUS.recipients)) return '550 5.1.0 Error: no recipients specified'
  if (has(CLEANUP_STATUS.hops)) return '554 5.4.0 Error: too many hops'
  if (has(CLEANUP_STATUS.size)) return '552 5.3.4 Error: message file too big'
  if (has(CLEANUP_STATUS.content)) return withReason('550 5.7.1', 'message content rejected')
  if (has(CLEANUP_STATUS.write)) return WRITE_ERROR
  if (has(CLEANUP_STATUS.noPermission)) return withReason('550 5.7.1', 'service denied')
  return `451 4.3.0 Error: internal error ${status}`
}

/** A reason may bring its own reply code and enhanced code. */
function withCode(code: string, reason: string): string {
  if (/^[245]\d\d [245]\.\d{1,3}\.\d{1,3} /.test(reason)) return reason
  if (/^[245]\.\d{1,3}\.\d{1,3} /.test(reason)) return `${code.slice(0, 3)} ${reason}`
  return `${code} ${reason}`
}

/**
 * Ends the message: applies the restrictions on its end, waits for cleanup(8) or the filter, and replies. `accepted`
 * makes the reply of success from the queue id. The transaction is over in any case.
 */
export async function endContent(
  session: Session,
  transaction: Transaction,
  content: ContentRecords,
  accepted: (queueId: string) => string,
): Promise<'done' | 'error'> {
  session.where = 'END-OF-MESSAGE'
  const { queueFile, filter } = transaction
  const refusal = await refuseContent(session, transaction, content)
  if (refusal === undefined && filter !== undefined) return endFilter(session, transaction, filter)
  if (refusal !== undefined || queueFile === undefined)
    return refused(session, refusal ?? WRITE_ERROR)
  const result = await finishQueueFile(transaction, queueFile)
  transaction.queueFile = undefined
  if (result.status !== CLEANUP_STATUS.ok) {
    const { bareNewlineRejectCode: code, hostname } = session.host.settings
    return refused(session, failureReply(result, hostname, code))
  }
  session.reply(accepted(queueFile.queueId))
  forgive(session)
  session.reset()
  return 'done'
}

function refused(session: Session, reply: string): 'error' {
  session.reset()
  session.reply(reply)
  return 'error'
}

/** Whoever has brought a message may make errors again. */
function forgive(session: Session): void {
  session.errorCount = 0
  session.junkCount = 0
}

/** What stands against the message before anybody is asked to take it. */
async function refuseContent(
  session: Session,
  { queueFile, filter }: Transaction,
  content: ContentRecords,
): Promise<string | undefined> {
  const { bareNewlineRejectCode: code, hostname } = session.host.settings
  const failed = (status: number): string => failureReply({ status, reason: '' }, hostname, code)
  if (session.bareNewline === 'reject' && content.hasBareLf) {
    session.logAction('reject', 'bare <LF> received')
    return failed(CLEANUP_STATUS.bareLf)
  }
  if (content.isOversize) return failed(CLEANUP_STATUS.size)
  if (queueFile === undefined && filter === undefined) return failed(CLEANUP_STATUS.write)
  return session.host.policy.checkEndOfData(session)
}

/** The filter's reply is the client's. */
async function endFilter(
  session: Session,
  transaction: Transaction,
  filter: ProxyFilter,
): Promise<'done' | 'error'> {
  const reply = await filter.finish()
  transaction.filter = undefined
  const isDone = reply[0]?.startsWith('2') === true
  const what = isDone ? 'proxy-accept' : 'proxy-reject'
  log.info(`${what}: END-OF-MESSAGE: ${reply.join('\r\n')}; ${session.context}`)
  if (isDone) forgive(session)
  session.reset()
  session.reply(...reply)
  return isDone ? 'done' : 'error'
}
