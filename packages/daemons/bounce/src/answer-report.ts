/**
 * answer-report - requests that make notices: flush, warn, verp, one, trace
 *
 * After a notice of non-delivery its recipients are marked done in the queue file if asked for; the
 * log goes once everybody knows what it said.
 */
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import { splitAddress } from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import { printable } from '@posthorn/log/printable'
import { removeMessageLog, type LogEntry } from '@posthorn/queue/message-log'
import type { QueueId } from '@posthorn/queue/queue-id'
import { parseQueueName } from '@posthorn/queue/queue-layout'
import { readMessageLog } from '@posthorn/queue/read-message-log'
import {
  NOTIFY_FLAGS,
  RETURN_FLAGS,
  SENDOPT_FLAGS,
  SMTPUTF8_FLAGS,
} from '@posthorn/wire/attr-groups'
import { BOUNCE_FLAGS, type BounceRequest } from '@posthorn/wire/bounce-protocol'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import { cleanEntry } from './append-entry.ts'
import type { BounceContext } from './bounce.ts'
import type { NoticeSubject } from './notice.ts'
import { OriginalMessage } from './original-message.ts'
import {
  copyToPostmaster,
  isDoubleBounceSender,
  isEmpty,
  reportDelay,
  reportFailure,
  reportSuccess,
  tellSender,
  wantsNotice,
  type Report,
} from './report.ts'

type ReportRequest = Exclude<BounceRequest, { readonly request: 0 }>

/** @throws whatever kept a notice from being sent: the log stays */
export async function answerReport(
  context: BounceContext,
  id: QueueId,
  request: ReportRequest,
): Promise<void> {
  const { layout } = context.settings
  const original = OriginalMessage.open(layout, parseQueueName(request.queueName), id)
  try {
    const report = {
      settings: context.settings,
      config: context.config,
      subject: subjectOf(id, request, original),
      entries: request.request === 4 ? () => [externalEntry(request)] : logEntries(context, id),
    }
    await answer(report, request)
    const isFinal = request.request === 1 || request.request === 3
    const marks = (request.flags & BOUNCE_FLAGS.deleteRecipients) !== 0
    // Recipients in a defer log still count as undelivered until we say otherwise.
    if ((isFinal && (marks || context.log === 'defer')) || (request.request === 4 && marks)) {
      for (const { recipient } of report.entries?.() ?? []) original?.markDone(recipient.offset)
    }
    if (isFinal || request.request === 5) removeMessageLog(layout, context.log, id)
  } finally {
    original?.close()
  }
}

async function answer(report: Report, request: ReportRequest): Promise<void> {
  const { settings, subject } = report
  const isRedacted = subject.tls === 'required' && settings.redactsRequireTls
  const wantsFull = request.returnFlags !== RETURN_FLAGS.headers && !isRedacted
  const requested = DELIVERY_FLAGS.userVerify | DELIVERY_FLAGS.record | DELIVERY_FLAGS.mtaVerify
  switch (request.request) {
    case 1:
    case 4:
      await reportFailure(report, wantsFull)
      return
    case 2:
      await reportDelay(report)
      return
    case 3:
      await reportVerp(report, request.delimiters, wantsFull)
      return
    case 5:
      await reportSuccess(report, (request.flags & requested) !== 0)
  }
}

/** A notice per recipient, so that a list manager sees in its address which one failed. */
async function reportVerp(report: Report, delimiters: string, wantsFull: boolean): Promise<void> {
  const { settings } = report
  const { id, sender } = report.subject
  if (sender === '' || isDoubleBounceSender(report)) {
    log.warning(`${id}: ignoring VERP request for null or double-bounce sender`)
    await reportFailure(report, wantsFull)
    return
  }
  if (report.entries === undefined) {
    await reportFailure(report, wantsFull)
    return
  }
  for (const entry of report.entries()) {
    const entries = (): LogEntry[] => [entry]
    if (wantsNotice(entry, NOTIFY_FLAGS.failure)) {
      const { originalRecipient, recipient } = entry.recipient
      const to = verpSender(sender, unquoteAddress(originalRecipient || recipient), delimiters)
      await tellSender(report, 'failure', to, wantsFull ? 'full' : 'headers', entries)
    }
    if (settings.notifies('bounce')) {
      const { bounce } = settings.recipients
      await copyToPostmaster({ ...report, entries }, 'failure', bounce, 'bouncing')
    }
  }
}

/** `owner-list@origin` and `user@domain` make `owner-list+user=domain@origin`. */
export function verpSender(sender: string, recipient: string, delimiters: string): string {
  const from = splitAddress(sender)
  const to = splitAddress(recipient)
  const local = from.local + delimiters.charAt(0) + to.local
  const withDomain = to.domain === undefined ? local : local + delimiters.charAt(1) + to.domain
  return from.domain === undefined ? withDomain : `${withDomain}@${from.domain}`
}

function subjectOf(
  id: QueueId,
  request: ReportRequest,
  original: OriginalMessage | undefined,
): NoticeSubject {
  return {
    id,
    sender: request.sender,
    envelopeId: printable(request.envelopeId),
    encoding: request.encoding,
    isUtf8: (request.smtpUtf8 & SMTPUTF8_FLAGS.requested) !== 0,
    tls: tlsOf(request.smtpUtf8),
    original,
  }
}

/** RFC 8689 5: REQUIRETLS counts more than the header. */
function tlsOf(sendOptions: number): NoticeSubject['tls'] {
  if ((sendOptions & SENDOPT_FLAGS.requireTls) !== 0) return 'required'
  return (sendOptions & SENDOPT_FLAGS.tlsOptional) !== 0 ? 'optional' : undefined
}

/** Undefined: there is no log, which is not the same as an empty one. */
function logEntries(context: BounceContext, id: QueueId): Report['entries'] {
  const { settings } = context
  const read = (): Iterable<LogEntry> =>
    readMessageLog(settings.layout, context.log, id, (text) => {
      log.warning(text)
    })
  return isEmpty(read()) ? undefined : read
}

/** As it would come out of a log. */
function externalEntry(request: Extract<ReportRequest, { readonly request: 4 }>): LogEntry {
  const { recipient, dsn } = cleanEntry(request)
  const address = quoteAddress(recipient.recipient)
  const original = quoteAddress(recipient.originalRecipient)
  const isSame = original.toLowerCase() === address.toLowerCase()
  return {
    recipient: { ...recipient, recipient: address, originalRecipient: isSame ? '' : original },
    dsn,
  }
}
