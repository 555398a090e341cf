/**
 * MAIL - begins a transaction with the envelope sender (RFC 5321 4.1.1.2)
 */
import { AddressSyntaxError, parseSmtpPath, type SmtpPath } from '@posthorn/address/smtp-path'
import { log } from '@posthorn/log/log'
import type { Command } from '../command.ts'
import { ParameterError, parseMailParameters } from '../mail-parameters.ts'
import type { Session } from '../session.ts'
import { Transaction } from '../transaction.ts'
import type { Verb } from '../verb.ts'
import { unfitForAscii } from './smtputf8.ts'
import { openMessage } from '../open-message.ts'

const SYNTAX = '501 5.5.4 Syntax: MAIL FROM:<address>'
const BAD_SENDER = '501 5.1.7 Bad sender address syntax'
const MILTERS_AWAY = '451 4.7.1 Service unavailable - try again later'

/** What follows `FROM:` or `TO:`; undefined when the command does not have that form. */
export function pathArgument(command: Command, keyword: 'FROM' | 'TO'): string | undefined {
  const found = /^(FROM|TO):[ \t]*([^]+)$/i.exec(command.argument)
  return found?.[1]?.toUpperCase() === keyword ? found[2] : undefined
}

/** The path and what follows it; undefined after a log line when there is no such thing. */
export function findPath(session: Session, text: string): SmtpPath | undefined {
  try {
    return parseSmtpPath(text, { isStrict: session.host.settings.isStrictEnvelope })
  } catch (error) {
    if (!(error instanceof AddressSyntaxError)) throw error
    if (error.path !== undefined) logBadAddress(session, error.path)
    return undefined
  }
}

export function logBadAddress(session: Session, path: string): void {
  const { client, where } = session
  log.warning(`Illegal address syntax from ${client.label} in ${where} command: ${path}`)
}

export const mail: Verb = {
  name: 'MAIL',
  async serve(session, command) {
    const { host } = session
    const refusal = outOfSequence(session)
    if (refusal !== undefined) {
      session.reply(refusal)
      return 'error'
    }
    const text = pathArgument(command, 'FROM')
    if (text === undefined) {
      session.reply(SYNTAX)
      return 'error'
    }
    const path = findPath(session, text)
    if (path === undefined) {
      session.reply(BAD_SENDER)
      return 'error'
    }
    let transaction: Transaction
    try {
      const words = path.rest === '' ? [] : path.rest.split(/[ \t]+/)
      const parameters = parseMailParameters(words, host.settings, session.permissions)
      const line = `${command.verb} ${command.argument}`
      transaction = new Transaction(path.address, parameters, line)
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error
      session.reply(error.reply)
      return 'error'
    }
    const unfit = unfitForAscii(session, path, transaction.parameters.isSmtpUtf8, BAD_SENDER)
    if (unfit !== undefined) {
      session.reply(unfit)
      return 'error'
    }
    if ((await session.counter.message()) === 'refuse') {
      session.reply(`450 4.7.1 Error: too much mail from ${session.client.address}`)
      return 'error'
    }
    if (transaction.parameters.verp !== '' && path.address === '') {
      session.reply('503 5.5.4 Error: XVERP requires non-null sender')
      return 'error'
    }
    session.transaction = transaction
    const denied = await judge(session, transaction, path)
    if (denied !== undefined) {
      session.reset()
      session.reply(denied)
      return 'error'
    }
    const failure = host.settings.isDelayOpen ? undefined : await openMessage(session, transaction)
    if (failure !== undefined) {
      session.reset()
      session.reply(...failure)
      return 'error'
    }
    session.reply('250 2.1.0 Ok')
    return 'done'
  },
}

function outOfSequence(session: Session): string | undefined {
  if (session.host.settings.isHeloRequired && session.helo === undefined) {
    return '503 5.5.1 Error: send HELO/EHLO first'
  }
  if (session.transaction !== undefined) return '503 5.5.1 Error: nested MAIL command'
  return session.bdat === 'none' ? undefined : '503 5.5.1 Error: MAIL after BDAT'
}

/** Milters come first; 451 as from Postfix when they are away. */
async function standInForMilters(
  session: Session,
  transaction: Transaction,
): Promise<string | undefined> {
  if (session.client.isLocalUser) return undefined
  switch (await session.host.milters.actionFor(session.client.address)) {
    case 'accept':
      return undefined
    case 'quarantine':
      session.logAction('milter-hold', 'milter triggers HOLD action')
      transaction.actions.isHeld = true
      return undefined
    case 'tempfail':
      session.logAction('milter-reject', MILTERS_AWAY)
      return MILTERS_AWAY
  }
}

/** The reply that refuses this sender; undefined = welcome. */
async function judge(
  session: Session,
  transaction: Transaction,
  { path }: SmtpPath,
): Promise<string | undefined> {
  const { policy, settings } = session.host
  const away = await standInForMilters(session, transaction)
  if (away !== undefined) return away
  const limit = settings.messageSizeLimit
  if (limit > 0 && transaction.parameters.sizeOctets > limit) {
    const reply = '552 5.3.4 Message size exceeds fixed limit'
    session.logAction('reject', reply)
    return reply
  }
  const full = await policy.checkStorage(session, transaction.parameters.sizeOctets)
  if (full !== undefined) return full
  if (await policy.isBadAddress(session, transaction.sender)) {
    logBadAddress(session, path)
    return BAD_SENDER
  }
  return policy.checkMail(session)
}
