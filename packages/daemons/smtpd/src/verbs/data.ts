/**
 * DATA - the message, line by line, up to a lone dot (RFC 5321 4.1.1.4)
 */
import { EndOfStreamError } from '@posthorn/stream/byte-stream'
import { beginContent, endContent, sendContent } from '../content-session.ts'
import { letCleanupRead } from '../queue-file.ts'
import { requestDeadline } from '../request-deadline.ts'
import { ContentRecords } from '../content-records.ts'
import type { Session } from '../session.ts'
import type { Transaction } from '../transaction.ts'
import type { Verb } from '../verb.ts'

export const data: Verb = {
  name: 'DATA',
  isLastInGroup: true,
  async serve(session, command) {
    const { transaction } = session
    if (session.bdat !== 'none') {
      session.reply('503 5.5.1 Error: DATA after BDAT')
      return 'error'
    }
    if (transaction === undefined || transaction.recipientCount === 0) {
      session.reply(
        transaction === undefined
          ? '503 5.5.1 Error: need RCPT command'
          : '554 5.5.1 Error: no valid recipients',
      )
      return 'error'
    }
    if (command.argument !== '') {
      session.reply('501 5.5.4 Syntax: DATA')
      return 'error'
    }
    const denied = await session.host.policy.checkData(session)
    if (denied !== undefined) {
      session.reply(denied)
      return 'error'
    }
    const content = await beginContent(session, transaction)
    if (!(content instanceof ContentRecords)) {
      session.reply(...content)
      return 'error'
    }
    session.reply('354 End data with <CR><LF>.<CR><LF>')
    await session.sendReplies()
    await readData(session, transaction, content)
    return endContent(session, transaction, content, (id) => `250 2.0.0 Ok: queued as ${id}`)
  },
}

/** Reads up to the lone dot. What is too big is read all the same: the client listens only afterwards. */
async function readData(
  session: Session,
  transaction: Transaction,
  content: ContentRecords,
): Promise<void> {
  const { stream } = session
  const deadline = requestDeadline(session)
  for (;;) {
    if (stream.buffered !== '') {
      stream.take(content.pushData(stream.buffered))
      sendContent(session, transaction, content)
      if (content.isAtEnd) return
    }
    await letCleanupRead(transaction)
    deadline.extend(content.octets)
    if (!(await stream.fill())) throw new EndOfStreamError('Cannot read message: the peer ended')
  }
}
