/**
 * session-end - how sessions are set up and taken leave of
 */
import type { ClientOptions } from './client-options.ts'
import { LocalDataError, Session, type SessionRules, type SessionStart } from './session.ts'

export function sessionRules(
  options: ClientOptions,
  queueId: string,
  replyFilter: SessionRules['replyFilter'],
  keepsTranscript = false,
): SessionRules {
  return {
    queueId,
    isLmtp: options.protocol === 'lmtp',
    lineLimit: options.replyLineLimit,
    allowsUtf8: options.allowsUtf8,
    reuseCountLimit: options.reuseCountLimit,
    hasHelpfulWarnings: options.hasHelpfulWarnings,
    hasRequestDeadline: options.hasRequestDeadline,
    replyFilter,
    keepsTranscript,
  }
}

/** QUIT where it can still be said, then closes. Nothing that goes wrong here matters. */
export async function quit(session: Session, options: ClientOptions): Promise<void> {
  const { stream } = session
  if (!session.isBroken && stream.isOpen) {
    session.begin('sending QUIT', options.timeouts.quitMs)
    session.send('QUIT')
    const said = options.skipsQuitReply ? stream.flush() : session.readReply()
    await said.catch((error: unknown) => {
      if (error instanceof LocalDataError) session.failureOf(error) // for its line in the log
    })
  }
  stream.close()
}

/** Is a connection from scache(8) still good? If not, it is closed without a word. */
export async function probe(start: SessionStart, options: ClientOptions): Promise<boolean> {
  const session = new Session(start, sessionRules(options, 'NOQUEUE', undefined))
  session.begin('sending RSET probe', options.timeouts.rsetMs)
  session.send('RSET')
  const reply = await session.readReply().catch(() => undefined)
  if (reply !== undefined && reply.code >= 200 && reply.code <= 299 && !reply.isGarbage) return true
  start.stream.close()
  return false
}
