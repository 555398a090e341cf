/**
 * delivery-report - the fields of message/delivery-status (RFC 3464 2.2, 2.3)
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { formatMailDate } from '@posthorn/message/mail-date'
import type { LogEntry } from '@posthorn/queue/message-log'
import type { BounceSettings } from './bounce-settings.ts'
import type { NoticeSubject } from './notice.ts'
import { wrapLine } from './wrap-line.ts'

/** What is true for the whole message. */
export function formatMessageFields(settings: BounceSettings, subject: NoticeSubject): string[] {
  const prefix = productName(settings)
  const sender = showSender(settings, subject.sender)
  const lines = [`Reporting-MTA: dns; ${settings.hostname}`]
  if (subject.envelopeId !== '') lines.push(`Original-Envelope-Id: ${subject.envelopeId}`)
  lines.push(`${prefix}-Queue-ID: ${subject.id}`)
  lines.push(`${prefix}-Sender: ${addressType(sender, subject.isUtf8)}; ${sender}`)
  const arrivalSeconds = subject.original?.arrivalSeconds
  if (arrivalSeconds !== undefined) {
    lines.push(`Arrival-Date: ${formatMailDate(arrivalSeconds * 1000)}`)
  }
  return lines
}

/** In external form; the null sender as an address that people understand. */
export function showSender(settings: BounceSettings, sender: string): string {
  return sender === '' ? `MAILER-DAEMON@${settings.hostname}` : quoteAddress(sender)
}

/** mail_name as part of field names and of the diagnostic type (RFC 3464 2.2, 2.1.2). */
export function productName({ mailName }: BounceSettings): string {
  return `X-${mailName.replace(/[\s()<>@,;:\\".[\]]/g, '-')}`
}

export interface ReportContext {
  readonly productName: string
  readonly isUtf8: boolean
  /** Replaces what the log says: a deferred recipient that is given up has failed. */
  readonly action: string | undefined
  readonly retryUntilSeconds: number | undefined
}

/** What happened to one recipient. */
export function formatRecipientFields(
  { recipient, dsn }: LogEntry,
  context: ReportContext,
): string[] {
  const { isUtf8 } = context
  const { originalRecipient, dsnOriginalRecipient } = recipient
  const final = recipient.recipient
  const lines = [`Final-Recipient: ${addressType(final, isUtf8)}; ${final}`]
  if (dsnOriginalRecipient !== '') {
    lines.push(`Original-Recipient: ${dsnOriginalRecipient}`)
  } else if (originalRecipient !== '') {
    const type = addressType(originalRecipient, isUtf8)
    lines.push(`Original-Recipient: ${type}; ${originalRecipient}`)
  }
  lines.push(`Action: ${context.action ?? dsn.action}`, `Status: ${dsn.status}`)
  if (dsn.remoteMtaType !== '' && dsn.remoteMtaName !== '') {
    lines.push(...wrapLine(`Remote-MTA: ${dsn.remoteMtaType}; ${dsn.remoteMtaName}`))
  }
  const diagnostic =
    dsn.diagnosticType !== '' && dsn.diagnosticText !== ''
      ? `${dsn.diagnosticType}; ${dsn.diagnosticText}`
      : `${context.productName}; ${dsn.reason}`
  lines.push(...wrapLine(`Diagnostic-Code: ${diagnostic}`))
  if (context.retryUntilSeconds !== undefined) {
    lines.push(`Will-Retry-Until: ${formatMailDate(context.retryUntilSeconds * 1000)}`)
  }
  return lines
}

/** RFC 6533 3: the utf-8 type is for those who asked for SMTPUTF8. */
function addressType(address: string, isUtf8: boolean): string {
  return isUtf8 && /[\x80-\xff]/.test(address) ? 'utf-8' : 'rfc822'
}
