/**
 * BDAT - the message in chunks of known size (RFC 3030)
 *
 * The octets of a chunk follow its command without waiting for a reply, so they are read even when the
 * command is refused; a command whose size cannot be read ends the session, for nobody knows where the next
 * command begins.
 */
import { EndOfStreamError } from '@posthorn/stream/byte-stream'
import { log } from '@posthorn/log/log'
import { beginContent, endContent, sendContent } from '../content-session.ts'
import { letCleanupRead } from '../queue-file.ts'
import { requestDeadline } from '../request-deadline.ts'
import { ContentRecords } from '../content-records.ts'
import type { Session } from '../session.ts'
import type { Transaction } from '../transaction.ts'
import type { Verb, VerbOutcome } from '../verb.ts'

export const bdat: Verb = {
  name: 'BDAT',
  async serve(session, command) {
    const { client } = session
    if (session.permissions.discardedKeywords.has('CHUNKING')) {
      session.reply('521 5.5.1 Error: command not implemented')
      return 'error'
    }
    const [size = '', last, ...more] = command.words
    const isLast = last?.toUpperCase() === 'LAST'
    if (!/^\d{1,15}$/.test(size) || (last !== undefined && !isLast) || more.length > 0) {
      const line = `${command.verb} ${command.argument}`.trim()
      log.warning(
        `${session.queueName}: malformed BDAT command syntax from ${client.label}: ${line}`,
      )
      session.reply('521 5.5.4 Syntax: BDAT count [LAST]')
      return 'error'
    }
    return serveChunk(session, Number(size), isLast)
  },
}

async function serveChunk(session: Session, size: number, isLast: boolean): Promise<VerbOutcome> {
  const { transaction, host, client } = session
  if (session.bdat === 'failed') {
    return discardChunk(session, size, `551 5.0.0 Discarded ${size} bytes after earlier error`)
  }
  if (transaction === undefined) {
    return discardChunk(session, size, '503 5.5.1 Error: need RCPT command')
  }
  if (transaction.recipientCount === 0) {
    return discardChunk(session, size, '554 5.5.1 Error: no valid recipients')
  }
  if (size === 0 && !isLast) {
    log.warning(`${session.queueName}: null BDAT request from ${client.label}`)
    return discardChunk(session, size, '551 5.7.1 Null BDAT request')
  }
  const limit = host.settings.messageSizeLimit
  if (limit > 0 && size > limit - (transaction.content?.octets ?? 0)) {
    log.warning(
      `${session.queueName}: BDAT request from ${client.label} exceeds message size limit`,
    )
    return discardChunk(session, size, '552 5.3.4 Chunk exceeds message size limit')
  }
  if (session.bdat === 'none') {
    const denied = await host.policy.checkData(session)
    if (denied !== undefined) return discardChunk(session, size, denied)
    const begun = await beginContent(session, transaction)
    if (!(begun instanceof ContentRecords)) {
      return discardChunk(session, size, begun.join('\r\n'))
    }
    session.bdat = 'open'
  }
  const { content } = transaction
  if (content === undefined) return 'error'
  await readChunk(session, transaction, content, size, isLast)
  if (isLast) {
    return endContent(
      session,
      transaction,
      content,
      (id) => `250 2.0.0 Ok: ${content.octets} bytes queued as ${id}`,
    )
  }
  session.reply(`250 2.0.0 Ok: ${size} bytes`)
  return 'done'
}

/** Refuses the message: its queue file goes, and chunks are thrown away until the client begins anew. */
async function discardChunk(session: Session, size: number, reply: string): Promise<VerbOutcome> {
  const { stream } = session
  session.reset()
  session.bdat = 'failed'
  for (let rest = size; rest > 0;) {
    if (stream.buffered === '' && !(await stream.fill())) {
      throw new EndOfStreamError('Cannot read chunk: the peer ended')
    }
    rest -= stream.take(Math.min(rest, stream.buffered.length)).length
  }
  session.reply(reply)
  return 'error'
}

async function readChunk(
  session: Session,
  transaction: Transaction,
  content: ContentRecords,
  size: number,
  isLast: boolean,
): Promise<void> {
  const { stream } = session
  const deadline = requestDeadline(session)
  let rest = size
  for (;;) {
    const arrived = stream.take(Math.min(rest, stream.buffered.length))
    rest -= arrived.length
    const text = transaction.bdatPending + arrived
    transaction.bdatPending = text.slice(content.pushChunk(text, isLast && rest === 0))
    sendContent(session, transaction, content)
    if (rest === 0) break
    await letCleanupRead(transaction)
    deadline.extend(content.octets)
    if (!(await stream.fill())) throw new EndOfStreamError('Cannot read chunk: the peer ended')
  }
}
