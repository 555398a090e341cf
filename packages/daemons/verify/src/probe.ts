/**
 * probe - a message that asks whether an address is deliverable
 *
 * It goes the way of all mail, up to the delivery agent, which does not deliver it but tells verify(8) what it found.
 *
 * Source: Postfix 3.7 verify(8); probe.test.ts has the octets of a real one.
 */
import { formatMailDate } from '@posthorn/message/mail-date'
import { encodeAttribute } from '@posthorn/queue/named-attribute'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { encodeTimeRecord, queueTimeNow } from '@posthorn/queue/time-record'
import { CLEANUP_FLAGS, openCleanup } from '@posthorn/wire/cleanup-protocol'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'

export interface ProbeOptions {
  /** `public/cleanup` */
  readonly cleanupPath: string
  readonly timeoutMs: number
  readonly hostname: string
  readonly mailName: string
  /** smtputf8_autodetect_classes names verify */
  readonly autoUtf8: boolean
}

/** @throws Error the probe could not be posted */
export async function postProbe(
  sender: string,
  recipient: string,
  options: ProbeOptions,
): Promise<void> {
  const { cleanupPath, timeoutMs, hostname, mailName, autoUtf8 } = options
  const flags = CLEANUP_FLAGS.map | (autoUtf8 ? CLEANUP_FLAGS.autoUtf8 : 0)
  const session = await openCleanup(cleanupPath, { flags, timeoutMs })
  const date = formatMailDate(Date.now())
  session.send(
    encodeTimeRecord(queueTimeNow()) +
      encodeAttribute('log_message_origin', 'local') +
      encodeAttribute('trace_flags', DELIVERY_FLAGS.mtaVerify) +
      encodeRecord(RECORD.sender, sender) +
      encodeRecord(RECORD.recipient, recipient) +
      encodeRecord(RECORD.message) +
      encodeRecord(RECORD.line, `Received: by ${hostname} (${mailName})`) +
      encodeRecord(RECORD.line, `\tid ${session.queueId}; ${date}`) +
      encodeRecord(RECORD.line, `Date: ${date}`) +
      encodeRecord(RECORD.extracted) +
      encodeRecord(RECORD.end),
  )
  const { status, reason } = await session.finish()
  if (status !== 0) throw new Error(`Cannot post probe: status ${status} ${reason}`)
}
