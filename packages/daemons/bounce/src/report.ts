/**
 * report - who is told what about a message
 *
 *   original sender      non-delivery                            delay
 *   somebody             sender; copy to postmaster (bounce)      sender; copy (delay)
 *   nobody (a bounce)    postmaster (bounce or 2bounce)           postmaster (delay)
 *   double-bounce        nobody                                   nobody
 *
 * The words in brackets are notify_classes. A notice that fails to go to the sender fails the request,
 * and the log stays; a copy that fails is only a warning.
 * Source: Postfix 3.7 bounce(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import type { LogEntry } from '@posthorn/queue/message-log'
import { NOTIFY_FLAGS } from '@posthorn/wire/attr-groups'
import type { BounceSettings } from './bounce-settings.ts'
import { sendNotice, type Notice, type NoticeSubject } from './notice.ts'
import type { TemplateName } from './template.ts'

export interface Report {
  readonly settings: BounceSettings
  readonly config: MainConfig
  readonly subject: NoticeSubject
  /** Undefined: there is no log. */
  readonly entries: (() => Iterable<LogEntry>) | undefined
}

const NAMES = {
  failure: 'non-delivery notification',
  delay: 'delay notification',
  success: 'delivery status notification',
  verify: 'delivery status notification',
} as const

/** @param wantsFull the sender did not ask for headers only (RFC 3461 4.3) */
export async function reportFailure(report: Report, wantsFull: boolean): Promise<void> {
  const { settings, subject } = report
  const { recipients } = settings
  const { sender } = subject
  if (isDoubleBounce(report)) return
  if (sender === '') {
    if (!settings.notifies('bounce') && !settings.notifies('2bounce')) return
    await tellPostmaster(report, 'failure', recipients.doubleBounce, 'full')
    return
  }
  const wanted = selectEntries(report, NOTIFY_FLAGS.failure)
  if (wanted !== 'none') {
    await tellSender(report, 'failure', sender, wantsFull ? 'full' : 'headers', wanted)
  }
  if (settings.notifies('bounce')) {
    await copyToPostmaster(report, 'failure', recipients.bounce, 'bouncing')
  }
}

export async function reportDelay(report: Report): Promise<void> {
  const { settings, subject } = report
  if (isDoubleBounce(report)) return
  if (subject.sender !== '') {
    const wanted = selectEntries(report, NOTIFY_FLAGS.delay)
    if (wanted !== 'none') {
      await tellSender(report, 'delay', subject.sender, 'headers', wanted)
    }
  }
  if (settings.notifies('delay')) {
    // Nobody else has the message when it has no sender.
    const returns = subject.sender === '' ? 'full' : 'headers'
    await copyToPostmaster(report, 'delay', settings.recipients.delay, 'warning', returns)
  }
}

/** @param isRequested the sender asked for a report with sendmail(1), not with DSN */
export async function reportSuccess(report: Report, isRequested: boolean): Promise<void> {
  const { settings, subject } = report
  const { id, sender } = subject
  const refuse = (kind: string): void => {
    log.info(`${id}: not sending trace/success notification for ${kind} message`)
  }
  if (isDoubleBounceSender(report)) {
    refuse('double-bounce')
  } else if (sender === '' && !settings.notifies('2bounce')) {
    refuse('single-bounce')
  } else if (report.entries !== undefined) {
    const template = isRequested ? 'verify' : 'success'
    const to = sender === '' ? settings.recipients.doubleBounce : sender
    await tellSender(report, template, to, 'headers', report.entries)
  }
}

/** @param to the sender, or a VERP form of it */
export async function tellSender(
  report: Report,
  template: TemplateName,
  to: string,
  returns: 'headers' | 'full',
  entries: Report['entries'],
): Promise<void> {
  // Mail to the postmaster instead of nobody must not bounce to nobody either.
  const from = report.subject.sender === '' ? report.settings.doubleBounceSender : ''
  const id = await send(report, template, {
    from,
    to,
    isPostmasterCopy: false,
    returns,
    entries,
  })
  log.info(`${report.subject.id}: sender ${NAMES[template]}: ${id}`)
}

async function tellPostmaster(
  report: Report,
  template: TemplateName,
  to: string,
  returns: 'headers' | 'full',
): Promise<void> {
  const { settings, subject, entries } = report
  const from = settings.doubleBounceSender
  const id = await send(report, template, { from, to, isPostmasterCopy: true, returns, entries })
  log.info(`${subject.id}: postmaster ${NAMES[template]}: ${id}`)
}

/** @param doing for the log: `bouncing` or `warning` */
export async function copyToPostmaster(
  report: Report,
  template: 'failure' | 'delay',
  to: string,
  doing: string,
  returns: 'headers' | 'full' = 'headers',
): Promise<void> {
  try {
    await tellPostmaster(report, template, to, returns)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    log.warning(`${report.subject.id}: postmaster notice failed while ${doing} to ${to}: ${why}`)
  }
}

async function send(
  report: Report,
  template: TemplateName,
  notice: Omit<Notice, 'template'>,
): Promise<string> {
  const { settings, config, subject } = report
  return sendNotice(settings, config, subject, {
    template: settings.templates[template],
    ...notice,
  })
}

export function isDoubleBounceSender({ settings, subject }: Report): boolean {
  return subject.sender.toLowerCase() === settings.doubleBounceSender.toLowerCase()
}

function isDoubleBounce(report: Report): boolean {
  if (!isDoubleBounceSender(report)) return false
  log.warning(`${report.subject.id}: undeliverable postmaster notification discarded`)
  return true
}

/** RFC 3461 4.1: who asked for this kind of notice, or did not say. */
export function wantsNotice({ recipient }: LogEntry, kind: number): boolean {
  return recipient.notifyFlags === 0 || (recipient.notifyFlags & kind) !== 0
}

function selectEntries(report: Report, kind: number): Report['entries'] | 'none' {
  const { entries } = report
  if (entries === undefined) return undefined
  const select = function* (): Generator<LogEntry, void, undefined> {
    for (const entry of entries()) if (wantsNotice(entry, kind)) yield entry
  }
  return isEmpty(select()) ? 'none' : select
}

/** Reads one entry at most, and closes what it came from. */
export function isEmpty(entries: Iterable<LogEntry>): boolean {
  const iterator = entries[Symbol.iterator]()
  const { done } = iterator.next()
  iterator.return?.()
  return done === true
}
