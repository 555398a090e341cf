/**
 * forward-message - sends the message in hand to other recipients, as a new message
 *
 * Each recipient then has a record of its own of what became of it. The new message begins with a Delivered-To: line of
 * whom it was for, so that a loop ends.
 *
 * Limits: 64 KB of records wait for cleanup(8). Source: Postfix 3.7 local(8).
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { foldCase } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { formatLocalReceived } from '@posthorn/message/received'
import { ContentReader } from '@posthorn/queue/content-reader'
import { encodeAttribute } from '@posthorn/queue/named-attribute'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { encodeTimeRecord, queueTimeNow } from '@posthorn/queue/time-record'
import { SENDOPT_FLAGS, SMTPUTF8_FLAGS } from '@posthorn/wire/attr-groups'
import { CLEANUP_FLAGS, CLEANUP_STATUS, openCleanup } from '@posthorn/wire/cleanup-protocol'
import type { DeliveryRequest, Recipient } from '@posthorn/wire/delivery-request'

const pieceOctets = 64 * 1024

export interface ForwardSettings {
  readonly cleanupPath: string
  readonly cleanupFlags: number
  readonly timeoutMs: number
  readonly hostname: string
  readonly mailName: string
  /** prepend_delivered_header has `forward`. */
  readonly addsDeliveredTo: boolean
}

export function readForwardSettings(config: MainConfig): ForwardSettings {
  const classes = config.flags('smtputf8_autodetect_classes')
  const autodetects = classes.has('forward') || classes.has('all')
  return {
    cleanupPath: `public/${config.text('cleanup_service_name')}`,
    cleanupFlags:
      CLEANUP_FLAGS.bounce | CLEANUP_FLAGS.map | (autodetects ? CLEANUP_FLAGS.autoUtf8 : 0),
    timeoutMs: config.seconds('ipc_timeout') * 1000,
    hostname: config.text('myhostname'),
    mailName: config.text('mail_name'),
    addsDeliveredTo: config.flags('prepend_delivered_header').has('forward'),
  }
}

/** What a delivery job has of it. */
export interface MessageInHand extends Pick<DeliveryJob, 'request'> {
  readonly file: Pick<DeliveryJob['file'], 'fd'>
}

/**
 * @param deliveredTo whom the message in hand was for; internal form
 * @returns the queue id of the new message; undefined when cleanup(8) did not take it
 * @throws {QueueFileCorruptError} and whatever the connection throws
 */
export async function forwardMessage(
  settings: ForwardSettings,
  job: MessageInHand,
  sender: string,
  recipients: readonly Recipient[],
  deliveredTo: string,
): Promise<string | undefined> {
  const { cleanupPath, cleanupFlags, timeoutMs, hostname, mailName } = settings
  const isUtf8 = (job.request.smtpUtf8 & SMTPUTF8_FLAGS.requested) !== 0
  // RFC 8689 4.2: also for mail that is sent on
  const requiresTls = (job.request.smtpUtf8 & SENDOPT_FLAGS.requireTls) !== 0
  const session = await openCleanup(cleanupPath, {
    flags:
      cleanupFlags |
      (isUtf8 ? CLEANUP_FLAGS.smtpUtf8 : 0) |
      (requiresTls ? CLEANUP_FLAGS.requireTls : 0),
    timeoutMs,
  })
  try {
    const { queueId } = session
    const head = formatLocalReceived({ hostname, mailName, queueId, timeMs: Date.now() })
    if (settings.addsDeliveredTo) head.push(`Delivered-To: ${quoteAddress(foldCase(deliveredTo))}`)
    session.send(
      envelope(job.request, sender, recipients) +
        head.map((line) => encodeRecord(RECORD.line, line)).join(''),
    )
    for (const reader = new ContentReader(job.file.fd, job.request.dataOffset); ;) {
      await reader.ready()
      const records = nextRecords(reader)
      if (records === '') break
      session.send(records)
      await session.ready()
    }
    session.send(encodeRecord(RECORD.extracted) + encodeRecord(RECORD.end))
    const { status } = await session.finish()
    return status === CLEANUP_STATUS.ok ? queueId : undefined
  } catch (error) {
    session.cancel()
    throw error
  }
}

function nextRecords(reader: ContentReader): string {
  let records = ''
  while (records.length < pieceOctets) {
    const piece = reader.next()
    if (piece === undefined) break
    records += encodeRecord(piece.endsLine ? RECORD.line : RECORD.part, piece.text)
  }
  return records
}

/** What is known of where the message came from goes with it. */
function envelope(
  request: DeliveryRequest,
  sender: string,
  recipients: readonly Recipient[],
): string {
  const attributes: readonly (readonly [string, string | number])[] = [
    ['ret_flags', request.returnFlags || ''],
    ['envelope_id', request.envelopeId],
    ['log_client_name', request.clientName],
    ['log_client_address', request.clientAddress],
    ['log_client_port', request.clientPort],
    ['log_protocol_name', request.clientProtocol],
    ['log_helo_name', request.clientHelo],
    ['sasl_method', request.saslMethod],
    ['sasl_username', request.saslUsername],
    ['sasl_sender', request.saslSender],
    ['log_ident', request.logIdent],
    ['rewrite_context', request.rewriteContext],
  ]
  const known = attributes.filter(([, value]) => value !== '')
  return (
    encodeTimeRecord(queueTimeNow()) +
    encodeRecord(RECORD.sender, sender) +
    known.map(([name, value]) => encodeAttribute(name, value)).join('') +
    recipients.map(recipientRecords).join('') +
    encodeRecord(RECORD.message)
  )
}

function recipientRecords({
  recipient,
  originalRecipient,
  dsnOriginalRecipient,
  notifyFlags,
}: Recipient): string {
  return (
    (dsnOriginalRecipient === '' ? '' : encodeAttribute('dsn_orig_rcpt', dsnOriginalRecipient)) +
    (notifyFlags === 0 ? '' : encodeAttribute('notify_flags', notifyFlags)) +
    encodeRecord(RECORD.originalRecipient, originalRecipient) +
    encodeRecord(RECORD.recipient, recipient)
  )
}
