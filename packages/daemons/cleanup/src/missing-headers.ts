/**
 * missing-headers - the headers that a message must have and does not
 *
 * For local submissions, and for all mail with always_add_missing_headers. When any Resent- header is there, the missing
 * ones are added to that set.
 *
 * Source: RFC 5322 3.6; Postfix 3.7 cleanup(8).
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { formatCompactDate, formatMailDate } from '@posthorn/message/mail-date'
import type { Message } from './message.ts'
import type { Settings } from './settings.ts'

const DESTINATIONS = ['to', 'cc', 'resent-to', 'resent-cc']

/** @param seen names in lower case of the headers that are there */
export function missingHeaders(
  message: Message,
  settings: Settings,
  seen: ReadonlySet<string>,
  isResent: boolean,
): string[] {
  const prefix = isResent ? 'Resent-' : ''
  const lacks = (name: string): boolean => !seen.has(`${prefix}${name}`.toLowerCase())
  const headers: string[] = []
  if (lacks('message-id')) {
    headers.push(`${prefix}Message-Id: ${newMessageId(message, settings)}`)
  }
  if (lacks('date')) {
    const arrivalMs = (message.arrival?.seconds ?? 0) * 1000
    headers.push(`${prefix}Date: ${formatMailDate(arrivalMs)}`)
  }
  if (lacks('from')) {
    headers.push(`${prefix}From: ${from(message.sender ?? '', message.fullName ?? '', settings)}`)
  }
  const hasDestination = DESTINATIONS.some((name) => seen.has(name))
  if (!hasDestination && settings.undisclosedHeader !== '') headers.push(settings.undisclosedHeader)
  return headers
}

/** Long queue ids never repeat; with short ones the time makes the difference. */
function newMessageId(message: Message, settings: Settings): string {
  const time = settings.longIds
    ? ''
    : `${formatCompactDate(message.writer.created.seconds * 1000)}.`
  return `<${time}${message.id}@${settings.myhostname}>`
}

const needsQuotes = /[()<>@,;:\\".[\]]/

function from(sender: string, fullName: string, settings: Settings): string {
  const address = sender === '' ? 'MAILER-DAEMON' : quoteAddress(sender)
  const name = fullName.replace(/[\r\n]/g, ' ')
  if (name === '') return address
  if (settings.hasObsoleteFrom) return `${address} (${name})`
  const phrase = needsQuotes.test(name) ? `"${name.replace(/["\\]/g, '\\$&')}"` : name
  return `${phrase} <${address}>`
}
