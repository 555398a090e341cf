/**
 * internal-mail - the records around a message that the mail system writes itself, on its way to cleanup(8)
 *
 * Source: Postfix 3.7, what bounce(8) and smtp(8) send.
 */
import { encodeAttribute } from './named-attribute.ts'
import { encodeRecord, RECORD } from './record.ts'
import { encodeTimeRecord, queueTimeNow } from './time-record.ts'

/** What comes before the first line; addresses in internal form. Lines are RECORD.line, or RECORD.part. */
export function beginInternalMail(sender: string, recipient: string): string {
  return (
    encodeTimeRecord(queueTimeNow()) +
    encodeAttribute('log_message_origin', 'local') +
    encodeAttribute('trace_flags', 0) +
    encodeRecord(RECORD.sender, sender) +
    encodeRecord(RECORD.recipient, recipient) +
    encodeRecord(RECORD.message)
  )
}

/** What comes after the last line. */
export const END_OF_INTERNAL_MAIL = encodeRecord(RECORD.extracted) + encodeRecord(RECORD.end)
