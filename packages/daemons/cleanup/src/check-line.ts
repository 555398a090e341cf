/**
 * check-line - the log line about a header or a line of the body that was inspected
 *
 *     ID: reject: header Subject: x from name[addr]; from=<s> to=<r> proto=ESMTP helo=<h>: 5.7.1 text
 *
 * Source: Postfix 3.7 cleanup(8) log lines.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import type { Message } from './message.ts'

const CONTENT_LIMIT = 200

/** @param content `header ` or `body ` and the text that was looked at */
export function checkLine(message: Message, action: string, content: string, text: string): string {
  const { attributes } = message
  const origin = attributes.get('log_message_origin') ?? 'local'
  const space = content.indexOf(' ') + 1
  const shown = content.slice(0, space + CONTENT_LIMIT)
  let line = `${message.id}: ${action}: ${shown} from ${origin};`
  if (message.sender !== undefined) line += ` from=<${quoteAddress(message.sender)}>`
  if (message.lastRecipient !== undefined) line += ` to=<${quoteAddress(message.lastRecipient)}>`
  const protocol = attributes.get('log_protocol_name')
  if (protocol !== undefined) line += ` proto=${protocol}`
  const helo = attributes.get('log_helo_name')
  if (helo !== undefined) line += ` helo=<${helo}>`
  return text === '' ? line : `${line}: ${text}`
}
