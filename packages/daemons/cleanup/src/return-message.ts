/**
 * return-message - sends an unwanted message back to its sender, through bounce(8)
 *
 * For submissions of pickup(8), which has nobody to tell. Each recipient goes into the bounce log and, as a delivery
 * would, into the mail log; then bounce(8) is asked to send the report, which it makes from our queue file.
 *
 * Source: Postfix 3.7 cleanup(8), bounce(8); RFC 3464.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { foldCase } from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import { RETURN_FLAGS, type Recipient } from '@posthorn/wire/attr-groups'
import { CLEANUP_STATUS } from '@posthorn/wire/cleanup-protocol'
import type { CleanupContext } from './cleanup-context.ts'
import type { Message } from './message.ts'

interface Refusal {
  readonly dsn: string
  readonly text: string
}

/** @returns true when the sender will be told; false: the client must be */
export async function returnMessage(message: Message, context: CleanupContext): Promise<boolean> {
  const refusal = refusalOf(message)
  if (refusal === undefined || message.recipients.length === 0) return false
  const { bounces } = context
  try {
    message.writeSize()
    await message.writer.flush()
    message.writer.enter()
    for (const recipient of message.recipients) {
      await bounces.refused(message, recipient, refusal)
      log.info(statusLine(message, recipient, refusal))
    }
    // What is too large, or not fit to be seen, is not sent round once more.
    const isUnfit = (message.status & (CLEANUP_STATUS.size | CLEANUP_STATUS.content)) !== 0
    await bounces.sendReport(message, isUnfit ? RETURN_FLAGS.headers : message.returnFlags)
    return true
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log.warning(`${message.id}: bounce message failure: ${reason}`)
    message.status = CLEANUP_STATUS.write
    return false
  }
}

function refusalOf(message: Message): Refusal | undefined {
  const { status, reason } = message
  if ((status & CLEANUP_STATUS.hops) !== 0) return { dsn: '5.4.0', text: 'too many hops' }
  if ((status & CLEANUP_STATUS.size) !== 0) return { dsn: '5.3.4', text: 'message file too big' }
  if ((status & CLEANUP_STATUS.content) === 0) return undefined
  const coded = /^([245]\.\d+\.\d+)\s+(.*)$/.exec(reason)
  if (coded === null) return { dsn: '5.7.1', text: 'message content rejected' }
  return { dsn: coded[1] ?? '', text: coded[2] ?? '' }
}

function statusLine(message: Message, recipient: Recipient, refusal: Refusal): string {
  const arrived = message.arrival
  const age =
    arrived === undefined ? 0 : Date.now() / 1000 - arrived.seconds - arrived.microseconds / 1e6
  const delay = formatDelay(Math.max(0, age))
  const to = recipient.recipient
  const from = recipient.originalRecipient
  const isSame = from === '' || foldCase(from) === foldCase(to)
  return (
    `${message.id}: to=<${quoteAddress(to)}>,${isSame ? '' : ` orig_to=<${quoteAddress(from)}>,`}` +
    ` relay=none, delay=${delay}, delays=${delay}/0/0/0, dsn=${refusal.dsn}, ` +
    `status=bounced (${refusal.text})`
  )
}

/** Two significant digits, at most two decimals. */
function formatDelay(seconds: number): string {
  if (seconds >= 10) return String(Math.round(seconds))
  return String(Number(seconds.toFixed(seconds >= 1 ? 1 : 2)))
}
