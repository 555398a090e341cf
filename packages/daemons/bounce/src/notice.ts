/**
 * notice - a delivery status notification, in three parts (RFC 3462, RFC 3464)
 *
 *   text/plain                  for people: the template, then a line per recipient
 *   message/delivery-status     for programs
 *   message/rfc822              the message, or its header only
 *
 * Source: Postfix 3.7 bounce(8).
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { LogEntry } from '@posthorn/queue/message-log'
import type { QueueId } from '@posthorn/queue/queue-id'
import type { BounceSettings } from './bounce-settings.ts'
import {
  formatMessageFields,
  formatRecipientFields,
  productName,
  showSender,
} from './delivery-report.ts'
import { expandTemplate } from './expand-template.ts'
import type { OriginalMessage } from './original-message.ts'
import { postNotice, type NoticeWriter } from './post-notice.ts'
import type { Template } from './template.ts'
import { wrapLine } from './wrap-line.ts'

/** The message that the notice is about. */
export interface NoticeSubject {
  readonly id: QueueId
  /** Internal form. */
  readonly sender: string
  readonly envelopeId: string
  /** 7bit, 8bit or empty. */
  readonly encoding: string
  /** The sender asked for SMTPUTF8: so may we (RFC 6533). */
  readonly isUtf8: boolean
  /** What the sender said of TLS: REQUIRETLS, or `TLS-Required: No` (RFC 8689). */
  readonly tls?: 'required' | 'optional' | undefined
  readonly original: OriginalMessage | undefined
}

export interface Notice {
  readonly template: Template
  /** Internal form; empty = the null sender. */
  readonly from: string
  readonly to: string
  readonly isPostmasterCopy: boolean
  readonly returns: 'headers' | 'full'
  /** Undefined: the log is lost. Called once for each part that lists recipients. */
  readonly entries: (() => Iterable<LogEntry>) | undefined
}

/** @returns the queue id of the notice. @throws see postNotice() */
export async function sendNotice(
  settings: BounceSettings,
  config: MainConfig,
  subject: NoticeSubject,
  notice: Notice,
): Promise<string> {
  const labels = chooseLabels(settings, subject, notice.template)
  const boundary = `${subject.id}.${Math.floor(Date.now() / 1000)}/${settings.hostname}`
  const envelope = {
    sender: notice.from,
    recipient: notice.to,
    isUtf8: subject.isUtf8,
    // RFC 8689 5: the way back may be worse than the way there; what is redacted may take it
    requiresTls: subject.tls === 'required' && !settings.redactsRequireTls,
  }
  const waivesTls = subject.tls === 'optional' && settings.honorsTlsRequired
  const messageId = settings.isThreaded ? await subject.original?.findMessageId() : undefined
  return postNotice(settings, envelope, async (writer) => {
    writeHeader(writer, notice, boundary, labels, messageId)
    if (waivesTls) writer.line('TLS-Required: No')
    writer.line('')
    writer.line('This is a MIME-encapsulated message.')
    await writeText(writer, notice, boundary, labels, config)
    await writeReport(writer, settings, subject, notice, boundary)
    await writeOriginal(writer, settings, subject, notice, boundary, labels)
    writer.line('')
    writer.line(`--${boundary}--`)
  })
}

interface Labels {
  /** Content-Transfer-Encoding of the whole; empty = none. */
  readonly whole: string
  /** Of the parts; empty = none. */
  readonly part: string
  readonly charset: string
}

function chooseLabels(
  settings: BounceSettings,
  subject: NoticeSubject,
  template: Template,
): Labels {
  const isAscii = template.charset.toLowerCase() === 'us-ascii'
  const is8bitTemplate = /[\x80-\xff]/.test(template.text.join(''))
  if (settings.smtputf8Enable || subject.encoding === '8bit') {
    return { whole: '8bit', part: '8bit', charset: isAscii ? 'utf-8' : template.charset }
  }
  const whole =
    subject.encoding === '7bit' && !is8bitTemplate ? '7bit' : is8bitTemplate ? '8bit' : ''
  return { whole, part: is8bitTemplate ? '8bit' : '', charset: template.charset }
}

function writeHeader(
  writer: NoticeWriter,
  notice: Notice,
  boundary: string,
  labels: Labels,
  messageId: string | undefined,
): void {
  const { template, isPostmasterCopy } = notice
  const subject = (isPostmasterCopy ? template.postmasterSubject : undefined) ?? template.subject
  writer.line(`From: ${template.from}`)
  writer.line(`Subject: ${subject}`)
  writer.line(`To: ${quoteAddress(notice.to)}`)
  if (messageId !== undefined) {
    writer.line(`References: ${messageId}`)
    writer.line(`In-Reply-To: ${messageId}`)
  }
  // RFC 3834 5
  writer.line(`Auto-Submitted: ${isPostmasterCopy ? 'auto-generated' : 'auto-replied'}`)
  writer.line('MIME-Version: 1.0')
  writer.line('Content-Type: multipart/report; report-type=delivery-status;')
  writer.line(`\tboundary="${boundary}"`)
  if (labels.whole !== '') writer.line(`Content-Transfer-Encoding: ${labels.whole}`)
}

async function writeText(
  writer: NoticeWriter,
  notice: Notice,
  boundary: string,
  labels: Labels,
  config: MainConfig,
): Promise<void> {
  beginPart(writer, boundary, 'Notification', `text/plain; charset=${labels.charset}`, labels.part)
  if (!notice.isPostmasterCopy) {
    for (const line of expandTemplate(notice.template, config)) writer.line(line)
  }
  if (notice.entries === undefined) {
    writer.line('')
    writer.line('\t--- Delivery report unavailable ---')
    return
  }
  for (const { recipient, dsn } of notice.entries()) {
    const { originalRecipient } = recipient
    const from = originalRecipient === '' ? '' : ` (expanded from <${originalRecipient}>)`
    writer.line('')
    wrapLine(`<${recipient.recipient}>${from}: ${dsn.reason}`).forEach((line) => {
      writer.line(line)
    })
    await writer.drain()
  }
}

async function writeReport(
  writer: NoticeWriter,
  settings: BounceSettings,
  subject: NoticeSubject,
  notice: Notice,
  boundary: string,
): Promise<void> {
  // RFC 6533 4: addresses in UTF-8
  const type = subject.isUtf8 ? 'message/global-delivery-status' : 'message/delivery-status'
  beginPart(writer, boundary, 'Delivery report', type, subject.isUtf8 ? '8bit' : '')
  for (const line of formatMessageFields(settings, subject)) writer.line(line)
  if (notice.entries === undefined) return
  const arrivalSeconds = subject.original?.arrivalSeconds
  const isDelay = notice.template.name === 'delay'
  const context = {
    productName: productName(settings),
    isUtf8: subject.isUtf8,
    action: notice.template.name === 'failure' ? 'failed' : undefined,
    retryUntilSeconds:
      isDelay && arrivalSeconds !== undefined
        ? arrivalSeconds + settings.lifetimeSeconds
        : undefined,
  }
  for (const entry of notice.entries()) {
    writer.line('')
    for (const line of formatRecipientFields(entry, context)) writer.line(line)
    await writer.drain()
  }
}

async function writeOriginal(
  writer: NoticeWriter,
  settings: BounceSettings,
  subject: NoticeSubject,
  notice: Notice,
  boundary: string,
  labels: Labels,
): Promise<void> {
  const { original } = subject
  const size = original?.sizeBytes ?? 0
  const isWhole = notice.returns === 'full' && size > 0 && size <= settings.sizeLimitBytes
  const isUndelivered = notice.template.name === 'failure' || notice.template.name === 'delay'
  const what = isUndelivered ? 'Undelivered Message' : 'Message'
  const whole = subject.isUtf8 ? 'message/global' : 'message/rfc822'
  const headers = subject.isUtf8 ? 'message/global-headers' : 'text/rfc822-headers'
  const description = isWhole ? what : `${what} Headers`
  beginPart(writer, boundary, description, isWhole ? whole : headers, labels.part)
  if (original?.hasContent !== true) {
    writer.line('\t--- Undelivered message unavailable ---')
    return
  }
  writer.line(`Return-Path: <${showSender(settings, subject.sender)}>`)
  for await (const { text, endsLine } of original.pieces(!isWhole)) {
    if (endsLine) writer.line(text)
    else writer.part(text)
    await writer.drain()
  }
}

function beginPart(
  writer: NoticeWriter,
  boundary: string,
  description: string,
  type: string,
  encoding: string,
): void {
  writer.line('')
  writer.line(`--${boundary}`)
  writer.line(`Content-Description: ${description}`)
  writer.line(`Content-Type: ${type}`)
  if (encoding !== '') writer.line(`Content-Transfer-Encoding: ${encoding}`)
  writer.line('')
}
