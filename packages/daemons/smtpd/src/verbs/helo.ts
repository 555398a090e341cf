/**
 * HELO - the client introduces itself, without extensions (RFC 5321 4.1.1.1)
 */
import type { Command } from '../command.ts'
import type { Session } from '../session.ts'
import type { Verb, VerbOutcome } from '../verb.ts'

/** What could hurt a log line or a header. */
const UNSAFE = /[ <>()\\";@]/g

/** What HELO and EHLO have in common; `welcome` replies. */
export async function greet(
  session: Session,
  command: Command,
  protocol: 'SMTP' | 'ESMTP',
  welcome: () => void,
): Promise<VerbOutcome> {
  const name = command.words[0]
  if (name === undefined) {
    session.reply(`501 Syntax: ${protocol === 'SMTP' ? 'HELO' : 'EHLO'} hostname`)
    return 'error'
  }
  // RFC 5321 4.1.4: a new greeting drops the transaction
  session.reset()
  session.helo = command.argument.replace(UNSAFE, '?')
  const denied = await session.host.policy.checkHelo(session)
  if (denied !== undefined) {
    session.reply(denied)
    return 'error'
  }
  session.protocol = protocol
  welcome()
  return 'done'
}

export const helo: Verb = {
  name: 'HELO',
  isBeforeTls: true,
  isJunk: true,
  isLastInGroup: true,
  async serve(session, command) {
    return greet(session, command, 'SMTP', () => {
      session.reply(`250 ${session.host.settings.hostname}`)
    })
  },
}
