/**
 * RCPT - adds an envelope recipient, when policy allows (RFC 5321 4.1.1.3)
 *
 * The first one that is accepted makes the queue file.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import type { SmtpPath } from '@posthorn/address/smtp-path'
import type { Command } from '../command.ts'
import { encodeRecipient } from '../envelope-records.ts'
import { ParameterError } from '../mail-parameters.ts'
import { openMessage } from '../open-message.ts'
import { isAccepted, type FilterReply } from '../proxy-filter.ts'
import { parseRecipientParameters, type RecipientParameters } from '../recipient-parameters.ts'
import { resolveAhead } from '../resolve-ahead.ts'
import type { Session } from '../session.ts'
import type { Transaction } from '../transaction.ts'
import type { Verb, VerbOutcome } from '../verb.ts'
import { findPath, logBadAddress, pathArgument } from './mail.ts'
import { unfitForAscii } from './smtputf8.ts'

const BAD_RECIPIENT = '501 5.1.3 Bad recipient address syntax'

export const rcpt: Verb = {
  name: 'RCPT',
  async serve(session, command) {
    const { transaction } = session
    if (transaction === undefined || session.bdat !== 'none') {
      session.reply(
        transaction === undefined
          ? '503 5.5.1 Error: need MAIL command'
          : '503 5.5.1 Error: RCPT after BDAT',
      )
      return 'error'
    }
    if (!session.client.isLocalUser) resolveAhead(session, transaction)
    const text = pathArgument(command, 'TO')
    if (text === undefined) {
      session.reply('501 5.5.4 Syntax: RCPT TO:<address>')
      return 'error'
    }
    const path = findPath(session, text)
    if (path === undefined || path.address === '') {
      if (path !== undefined) logBadAddress(session, path.path)
      session.reply(BAD_RECIPIENT)
      return 'error'
    }
    try {
      const words = path.rest === '' ? [] : path.rest.split(/[ \t]+/)
      const parameters = parseRecipientParameters(words, session.permissions.discardedKeywords)
      return await addRecipient(session, transaction, path, parameters, command)
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error
      session.reply(error.reply)
      return 'error'
    } finally {
      session.recipient = undefined
    }
  },
}

async function addRecipient(
  session: Session,
  transaction: Transaction,
  path: SmtpPath,
  parameters: RecipientParameters,
  command: Command,
): Promise<VerbOutcome> {
  const { settings, policy } = session.host
  const unfit = unfitForAscii(session, path, transaction.parameters.isSmtpUtf8, BAD_RECIPIENT)
  if (unfit !== undefined) {
    session.reply(unfit)
    return 'error'
  }
  if (transaction.recipientCount >= settings.recipientLimit) {
    session.reply('452 4.5.3 Error: too many recipients')
    // RFC 5321 4.5.3.1.10: a client may well try; only a stubborn one makes an error
    return transaction.overshootCount++ < settings.recipientOvershootLimit ? 'done' : 'error'
  }
  if (await policy.isBadAddress(session, path.address)) {
    logBadAddress(session, path.path)
    session.reply(BAD_RECIPIENT)
    return 'error'
  }
  session.recipient = path.address
  if ((await session.counter.recipient()) === 'refuse') {
    session.reply(`450 4.7.1 Error: too many recipients from ${session.client.address}`)
    return 'error'
  }
  const denied = await policy.checkRecipient(session)
  if (denied !== undefined) {
    session.reply(denied)
    return 'error'
  }
  const failure =
    (await openMessage(session, transaction)) ?? (await askFilter(transaction, command))
  if (failure !== undefined) {
    session.reply(...failure)
    return 'error'
  }
  const original =
    parameters.originalRecipient === ''
      ? `rfc822;${sourceRoute(path.path)}${quoteAddress(path.address)}`
      : parameters.originalRecipient
  transaction.queueFile?.send(encodeRecipient(path.address, parameters.notify, original))
  if (transaction.recipientCount++ === 0) transaction.firstRecipient = path.address
  session.reply('250 2.1.5 Ok')
  return 'done'
}

/** The reply with which a filter before the queue refuses the recipient. */
async function askFilter(
  { filter }: Transaction,
  { verb, argument }: Command,
): Promise<FilterReply | undefined> {
  const reply = await filter?.command(`${verb} ${argument}`)
  return reply === undefined || isAccepted(reply) ? undefined : reply
}

/** RFC 3461 4.2: the original recipient as the client gave it, with the route that delivery ignores. */
function sourceRoute(text: string): string {
  return /^<(@[^>:"]*:)/.exec(text)?.[1] ?? ''
}
