/**
 * conversation - an SMTP session from the greeting to the disconnect line
 *
 *   connect ─▶ limits ─▶ greeting ─▶ { command ─▶ verb ─▶ reply }* ─▶ disconnect
 *
 * The loop reads a command, finds its verb and counts errors; what a command means is in verbs/. A client that
 * goes away, dawdles, or makes too many errors ends here, with one log line that says where it was.
 * Source: RFC 5321 4.1; Postfix 3.7 smtpd(8).
 */
import { EndOfStreamError, StreamTimeoutError } from '@posthorn/stream/byte-stream'
import { log } from '@posthorn/log/log'
import { isUtf8, parseCommand, type Command } from './command.ts'
import { readCommandLine, takeCommandLine, type CommandLine } from './command-reader.ts'
import { requestDeadline } from './request-deadline.ts'
import { escapeText } from './escape-text.ts'
import type { Session } from './session.ts'
import { bdat } from './verbs/bdat.ts'
import { quit } from './verbs/quit.ts'
import { NO_TLS } from './verbs/unavailable.ts'
import { findVerb } from './verbs/verbs.ts'
import type { Verb } from './verb.ts'

/** Serves the client until it is gone. Never rejects because of what the client does. */
export async function converse(session: Session): Promise<void> {
  log.info(`connect from ${session.client.label}`)
  let reason: string | undefined
  try {
    reason = await serveClient(session)
    await session.sendReplies()
    await session.stream.flush()
  } catch (error) {
    reason = reasonOf(session, error)
    await session.sendReplies()
  } finally {
    if (reason !== undefined)
      log.info(`${reason} after ${whereOf(session)} from ${session.client.label}`)
    session.reset()
    log.info(`disconnect from ${session.client.label} ${session.counts.toString()}`)
    await session.counter.end()
  }
}

/** Why the session ended, for the log; undefined when nothing is to be said. */
function reasonOf(session: Session, error: unknown): string | undefined {
  const { hostname } = session.host.settings
  if (error instanceof StreamTimeoutError) {
    session.reply(`421 4.4.2 ${hostname} Error: timeout exceeded`)
    return 'timeout'
  }
  if (error instanceof EndOfStreamError) {
    // after a message a client may just leave
    return session.where === 'END-OF-MESSAGE' || session.isHangingUp ? undefined : 'lost connection'
  }
  log.warning(`${session.queueName}: ${error instanceof Error ? error.message : String(error)}`)
  session.logAction('reject', `421 4.3.0 ${hostname} Server local error`)
  session.reply(`421 4.3.0 ${hostname} Server local error`)
  return undefined
}

/** In the middle of content, how much of it had come. */
function whereOf(session: Session): string {
  const { content, bdatPending = '' } = session.transaction ?? {}
  if (content === undefined || (session.where !== 'DATA' && session.where !== 'BDAT')) {
    return session.where
  }
  // of DATA whole lines count, of a chunk every octet
  const unfinished =
    session.where === 'DATA' ? 0 : bdatPending.length + session.stream.buffered.length
  return `${session.where} (${content.octets + unfinished} bytes)`
}

async function serveClient(session: Session): Promise<string | undefined> {
  const { host, client } = session
  const { settings } = host
  if (settings.isTlsWrapped && !client.isLocalUser) {
    const service = `service ${host.serviceName}`
    log.warning(
      `Wrapper-mode request dropped from ${client.label} for ${service}. There is no TLS yet`,
    )
    return undefined
  }
  if (session.isSpeechless) {
    session.reply(`421 4.3.0 ${settings.hostname} Server local error`)
    return undefined
  }
  session.counter = await host.limits.counterFor(client)
  if ((await session.counter.connected()) === 'refuse') {
    const text = `${settings.hostname} Error: too many connections from ${client.address}`
    session.reply(`421 4.7.0 ${text}`)
    return undefined
  }
  await session.welcome(async () => talksTooEarly(session))
  session.stream.timeoutMs = settings.timeoutMs
  while (!session.isHangingUp) {
    if (session.errorCount >= settings.hardErrorLimit) {
      session.reply(`421 4.7.0 ${settings.hostname} Error: too many errors`)
      return 'too many errors'
    }
    const line = await nextLine(session)
    if (isBareLfRefused(session, line)) break
    await serveLine(session, line.text)
  }
  return undefined
}

/** Has the client spoken before our greeting? postscreen(8) has seen to it for clients that it passes on. */
async function talksTooEarly(session: Session): Promise<boolean> {
  const { stream, host } = session
  if (!host.settings.isPipeliningForbidden || session.isScreened || !stream.hasInput()) return false
  if (!(await stream.fill())) return false
  return isOutOfStep(session, 'CONNECT')
}

/** A pipelined command is served before the replies to those before it have left. */
async function nextLine(session: Session): Promise<CommandLine> {
  const { lineLengthLimit } = session.host.settings
  const buffered = takeCommandLine(session.stream, lineLengthLimit)
  if (buffered !== undefined) {
    if (session.mustSendReplies) await session.sendReplies()
    return buffered
  }
  await session.sendReplies()
  requestDeadline(session)
  const line = await readCommandLine(session.stream, lineLengthLimit)
  if (line.isCut) {
    const start = escapeText(line.text.slice(0, 30))
    log.warning(`${session.client.label}: request longer than ${lineLengthLimit}: ${start}...`)
  }
  return line
}

function isBareLfRefused(session: Session, line: CommandLine): boolean {
  const { settings } = session.host
  if (!line.hasBareLf || session.bareNewline !== 'reject') return false
  session.logAction('reject', 'bare <LF> received')
  const code = settings.bareNewlineRejectCode
  session.reply(`${code} 5.5.2 ${settings.hostname} Error: bare <LF> received`)
  session.isHangingUp = true
  return true
}

async function serveLine(session: Session, given: string): Promise<void> {
  const { settings, policy } = session.host
  const line = await filterCommand(session, given)
  if (settings.isUtf8Enabled && !isUtf8(line)) {
    session.reply('500 5.5.2 Error: bad UTF-8 syntax')
    session.errorCount++
    return
  }
  const command = parseCommand(line)
  if (command.verb === '') {
    session.reply('500 5.5.2 Error: bad syntax')
    session.errorCount++
    return
  }
  if (await policy.isNoop(command.verb)) {
    session.reply('250 2.0.0 Ok')
    countJunk(session)
    return
  }
  const verb = findVerb(command.verb)
  session.counts.came(verb?.name.toLowerCase() ?? 'unknown')
  session.where = verb?.name ?? 'UNKNOWN'
  if (verb === undefined) {
    await serveUnknown(session, command, line)
  } else if (session.denied !== undefined && verb !== quit) {
    session.reply(`503 5.7.0 Error: access denied for ${session.client.label}`)
    session.errorCount++
  } else if (session.needsTls && verb.isBeforeTls !== true) {
    session.reply(NO_TLS)
    session.errorCount++
  } else if (!mustWait(session, verb) || !isOutOfStep(session, verb.name)) {
    const outcome = await verb.serve(session, command)
    if (outcome === 'done') session.counts.succeeded(verb.name.toLowerCase())
    else if (outcome === 'error') session.errorCount++
    if (verb.isJunk === true) countJunk(session)
  }
}

/** smtpd_command_filter: another command in place of the one that came. */
async function filterCommand(session: Session, line: string): Promise<string> {
  const { commandFilter } = session.host
  if (commandFilter.isEmpty) return line
  const command = line.replace(/^[ \t\v\f\r]+/, '')
  const answer = await commandFilter.find(command)
  if (answer.kind === 'tryAgain') throw new Error(`smtpd_command_filter: ${answer.reason}`)
  if (answer.kind === 'absent') return line
  log.info(`${session.client.label}: replacing command "${command}" with "${answer.value}"`)
  return answer.value
}

function countJunk(session: Session): void {
  if (session.junkCount++ > session.host.settings.junkCommandLimit) session.errorCount++
}

async function serveUnknown(session: Session, command: Command, line: string): Promise<void> {
  // somebody's web client, or content after a DATA that was refused
  const isHeader = /^[!-9;-~]+:/.test(command.verb)
  if (isHeader || (await session.host.policy.isForbidden(command.verb))) {
    log.warning(`non-SMTP command from ${session.client.label}: ${escapeText(line.slice(0, 100))}`)
    session.reply('221 2.7.0 Error: I can break rules, too. Goodbye.')
    session.isHangingUp = true
    return
  }
  session.reply(
    session.denied === undefined
      ? '500 5.5.2 Error: command not recognized'
      : `503 5.7.0 Error: access denied for ${session.client.label}`,
  )
  session.errorCount++
}

/** RFC 2920 3.1; without it, after every command. What follows BDAT is its chunk. */
function mustWait(session: Session, verb: Verb): boolean {
  return verb.isLastInGroup === true || (session.protocol === 'SMTP' && verb !== bdat)
}

/**
 * The client talks on where it must wait for a reply (RFC 2920 3.1). Logged once per session; refused when
 * smtpd_forbid_unauth_pipelining says so.
 */
function isOutOfStep(session: Session, where: string): boolean {
  if (session.client.isLocalUser) return false
  if (session.hasPipelinedBadly || session.stream.buffered === '') return false
  session.hasPipelinedBadly = true
  const text = escapeText(session.stream.buffered.slice(0, 100))
  log.info(`improper command pipelining after ${where} from ${session.client.label}: ${text}`)
  if (!session.host.settings.isPipeliningForbidden) return false
  session.reply('554 5.5.0 Error: SMTP protocol synchronization')
  session.isHangingUp = true
  return true
}
