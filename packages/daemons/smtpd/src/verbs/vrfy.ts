/**
 * VRFY - would this recipient be accepted (RFC 5321 4.1.1.6)
 *
 * The answer is that of the recipient restrictions: what RCPT refuses is refused here, everything else gets
 * 252, which promises nothing. RFC 5321 7.3 has the reasons.
 */
import { AddressSyntaxError, parsePathAddress } from '@posthorn/address/smtp-path'
import type { Session } from '../session.ts'
import type { Verb, VerbOutcome } from '../verb.ts'
import { logBadAddress } from './mail.ts'
import { unfitForAscii } from './smtputf8.ts'

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
    const hasUtf8 = settings.isUtf8Enabled && words.at(-1) === 'SMTPUTF8'
    const text = (hasUtf8 ? words.slice(0, -1) : words).join(' ')
    if (text === '') {
      const option = settings.isUtf8Enabled ? ' [SMTPUTF8]' : ''
      session.reply(`501 5.5.4 Syntax: VRFY address${option}`)
      return 'error'
    }
    const address = findAddress(session, text)
    if (address === undefined) {
      session.reply(BAD_RECIPIENT)
      return 'error'
    }
    const unfit = unfitForAscii(session, { path: text, address }, hasUtf8, BAD_RECIPIENT)
    if (unfit !== undefined) {
      // as Postfix: whoever asks so has not understood the transaction
      if (unfit !== BAD_RECIPIENT) session.reset()
      session.reply(unfit)
      return 'error'
    }
    return judge(session, text, address)
  },
}

/** The one address that the whole argument names; undefined after a log line. */
function findAddress(session: Session, text: string): string | undefined {
  try {
    const address = parsePathAddress(text)
    if (address !== '') return address
  } catch (error) {
    if (!(error instanceof AddressSyntaxError)) throw error
  }
  logBadAddress(session, text)
  return undefined
}

async function judge(session: Session, text: string, address: string): Promise<VerbOutcome> {
  const { policy } = session.host
  session.recipient = address
  try {
    if (await policy.isBadAddress(session, address)) {
      logBadAddress(session, text)
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
