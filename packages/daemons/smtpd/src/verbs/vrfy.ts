/**
 * VRFY - would this recipient be accepted (RFC 5321 4.1.1.6)
 *
 * The answer is that of the recipient restrictions: what RCPT refuses is refused here, everything else gets
 * 252, which promises nothing. RFC 5321 7.3 has the reasons.
 */
import type { Session } from '../session.ts'
import type { Verb, VerbOutcome } from '../verb.ts'
import { findPath, logBadAddress } from './mail.ts'

const BAD_RECIPIENT = '501 5.1.3 Bad recipient address syntax'

export const vrfy: Verb = {
  name: 'VRFY',
  isJunk: true,
  isLastInGroup: true,
  async serve(session, command) {
    const { settings } = session.host
    if (settings.isVrfyDisabled) {
      session.reply('502 5.5.1 VRFY command is disabled')
      return 'error'
    }
    const { words } = command
    const hasUtf8 = settings.isUtf8Enabled && words.length > 1 && words.at(-1) === 'SMTPUTF8'
    const text = (hasUtf8 ? words.slice(0, -1) : words).join(' ')
    if (text === '') {
      const option = settings.isUtf8Enabled ? ' [SMTPUTF8]' : ''
      session.reply(`501 5.5.4 Syntax: VRFY address${option}`)
      return 'error'
    }
    return judge(session, text)
  },
}

async function judge(session: Session, text: string): Promise<VerbOutcome> {
  const { policy } = session.host
  const path = findPath(session, text, 'VRFY')
  if (path?.rest !== '' || path.address === '') {
    if (path !== undefined) logBadAddress(session, 'VRFY', text)
    session.reply(BAD_RECIPIENT)
    return 'error'
  }
  session.recipient = path.address
  try {
    const sender = session.transaction?.sender ?? ''
    if (await policy.isBadAddress(sender, path.address)) {
      logBadAddress(session, 'VRFY', text)
      session.reply(BAD_RECIPIENT)
      return 'error'
    }
    const denied = await policy.checkRecipient(session)
    if (denied !== undefined) {
      session.reply(denied)
      return 'error'
    }
    session.reply(`252 2.0.0 ${text}`)
    return 'done'
  } finally {
    session.recipient = undefined
  }
}
