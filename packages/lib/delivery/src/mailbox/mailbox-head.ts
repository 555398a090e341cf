/**
 * mailbox-head - the lines that final delivery puts before a message
 *
 *     From sender@example.org  Sat Nov 21 02:15:14 2026      mbox files only
 *     Return-Path: <sender@example.org>                      RFC 5321 4.4
 *     X-Original-To: as first seen
 *     Delivered-To: as delivered                             stops loops
 *
 * Source: Postfix 3.7 local(8), virtual(8).
 */
import { quoteAddress } from '@posthorn/address/quote-address'

export interface MailboxHead {
  /** Internal form; empty for the null sender. */
  readonly sender: string
  /** Empty: no such line. Internal form. */
  readonly originalRecipient: string
  readonly deliveredTo: string
}

export function mailboxHead(head: MailboxHead, isMbox: boolean, nowMs: number): string {
  const sender = quoteAddress(head.sender)
  let lines = isMbox ? `From ${sender || 'MAILER-DAEMON'}  ${localTime(new Date(nowMs))}\n` : ''
  lines += `Return-Path: <${sender}>\n`
  if (head.originalRecipient !== '') {
    lines += `X-Original-To: ${quoteAddress(head.originalRecipient)}\n`
  }
  if (head.deliveredTo !== '') lines += `Delivered-To: ${quoteAddress(head.deliveredTo)}\n`
  return lines
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** As asctime(3) has it: `Sat Nov 21 02:15:14 2026`. */
function localTime(date: Date): string {
  const day = days[date.getDay()] ?? ''
  const month = months[date.getMonth()] ?? ''
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
  return `${day} ${month} ${String(date.getDate()).padStart(2)} ${time} ${date.getFullYear()}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
