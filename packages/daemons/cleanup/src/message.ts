/**
 * message - one message on its way into the queue: its file, and what the stages learn about it
 *
 * The stages take turns: envelope, headers, body, extracted records. A failure sets bits in `status`; a message that is
 * broken is only read to its end. With the BOUNCE flag a message that is complete but unwanted (content, hops) is not
 * broken: all of it is stored, so that it can be returned to its sender.
 *
 * Source: Postfix 3.7 cleanup(8).
 */
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { SIZE_FLAG_MIXED, SIZE_RECORD_OCTETS, encodeSizeRecord } from '@posthorn/queue/size-record'
import type { QueueFileWriter } from '@posthorn/queue/queue-file-writer'
import type { QueueTime } from '@posthorn/queue/queue-id'
import { SENDOPT_FLAGS, SMTPUTF8_FLAGS, type Recipient } from '@posthorn/wire/attr-groups'
import { CLEANUP_FLAGS, CLEANUP_STATUS } from '@posthorn/wire/cleanup-protocol'
import { DuplicateFilter } from './duplicate-filter.ts'
import type { Settings } from './settings.ts'

/** After these nothing can be returned: the file is not complete. */
const INCOMPLETE =
  CLEANUP_STATUS.bad | CLEANUP_STATUS.write | CLEANUP_STATUS.size | CLEANUP_STATUS.defer

const ZERO_SIZE = encodeSizeRecord({
  dataSize: 0,
  dataOffset: 0,
  recipientCount: 0,
  flags: 0,
  contentLength: 0,
  smtputf8: 0,
})

export class Message {
  readonly writer: QueueFileWriter
  /** CLEANUP_FLAGS as the client sent them; hold and discard may be added. */
  flags: number
  /** CLEANUP_STATUS bits; 0 = so far it is fine. */
  status = 0
  /** For the client, with an enhanced status code in front. */
  reason = ''
  /** PASS in header_checks: no more inspection. */
  isChecked = false

  arrival: QueueTime | undefined
  sender: string | undefined
  fullName: string | undefined
  rewriteContext: 'local' | 'remote' = 'local'
  /** Named attributes of the envelope, except those about one recipient. */
  readonly attributes = new Map<string, string>()
  envelopeId = ''
  returnFlags = 0
  hasWarnTime = false

  /** smtpd(8) has said something about Milters: they are its business. */
  hasSmtpdMilters = false

  /** The last one in the envelope, for log lines. */
  lastRecipient: string | undefined
  recipientCount = 0
  /** All that were written, if the message may have to be bounced. */
  readonly recipients: Recipient[] = []
  /** Records about recipients have been seen in this segment: others among them are in qmgr's way. */
  hasRecipientsHere = false
  sizeFlags = 0
  /** SMTPUTF8_FLAGS and SENDOPT_FLAGS: field 6 of the size record. */
  smtputf8: number

  dataOffset = 0
  dataSize = 0
  /** `7bit` or `8bit`, as the client or a header says; empty = nobody does. */
  encoding = ''
  /** Results of header and body checks. */
  filter: string | undefined
  redirect: string | undefined
  readonly bcc: string[] = []

  /** Of recipients, in both segments. */
  readonly duplicates: DuplicateFilter

  readonly #detectsUtf8: boolean
  readonly #allowsRequireTls: boolean

  constructor(
    writer: QueueFileWriter,
    flags: number,
    settings: Pick<Settings, 'duplicateLimit' | 'utf8Enabled' | 'allowsRequireTls'>,
  ) {
    this.writer = writer
    this.#detectsUtf8 = settings.utf8Enabled
    this.flags = flags
    this.duplicates = new DuplicateFilter(settings.duplicateLimit)
    this.smtputf8 = this.has('smtpUtf8') ? SMTPUTF8_FLAGS.requested : 0
    this.#allowsRequireTls = settings.allowsRequireTls
    if (this.has('requireTls')) this.requireTls()
    writer.append(ZERO_SIZE)
  }

  get id(): string {
    return this.writer.id
  }

  has(flag: keyof typeof CLEANUP_FLAGS): boolean {
    return (this.flags & CLEANUP_FLAGS[flag]) !== 0
  }

  /** Nothing more of it is looked at, nothing more is written. */
  get isBroken(): boolean {
    const fatal = this.has('bounce') ? this.status & INCOMPLETE : this.status
    return fatal !== 0 || this.has('discard')
  }

  /** All of it is there, but it cannot be accepted: it goes back to its sender, if the client wants that. */
  get isReturnable(): boolean {
    const never = INCOMPLETE & ~CLEANUP_STATUS.size
    return this.has('bounce') && (this.status & (never | CLEANUP_STATUS.recipients)) === 0
  }

  fail(status: keyof typeof CLEANUP_STATUS, reason = ''): void {
    this.status |= CLEANUP_STATUS[status]
    if (this.reason === '') this.reason = reason
  }

  /** A record that is not about one recipient. */
  write(type: string, payload = ''): void {
    this.writeOctets(encodeRecord(type, payload))
  }

  /** The same, encoded. */
  writeOctets(octets: string): void {
    this.noteOtherRecord()
    this.writer.append(octets)
  }

  /** Behind recipients, qmgr(8) must look through the whole envelope before it starts to deliver. */
  noteOtherRecord(): void {
    if (this.hasRecipientsHere) this.sizeFlags |= SIZE_FLAG_MIXED
  }

  beginContent(): void {
    this.hasRecipientsHere = false
    this.writer.append(encodeRecord(RECORD.message))
    this.dataOffset = this.writer.position
  }

  endContent(): void {
    this.dataSize = this.writer.position - this.dataOffset
    this.writer.append(encodeRecord(RECORD.extracted))
    this.hasRecipientsHere = false
  }

  /** Puts the truth over the zeros at the beginning of the file. */
  writeSize(): void {
    const size = encodeSizeRecord({
      dataSize: this.dataSize,
      dataOffset: this.dataOffset,
      recipientCount: this.recipientCount,
      flags: this.sizeFlags,
      contentLength: this.dataSize,
      smtputf8: this.smtputf8,
    })
    if (size.length === SIZE_RECORD_OCTETS) this.writer.overwrite(0, size)
    else this.fail('write')
  }

  /** Text beyond ASCII was found: with autodetection the message needs SMTPUTF8 from here on. */
  noteUtf8(where: 'header' | 'sender' | 'recipient'): void {
    if (!this.#detectsUtf8) return
    if (where !== 'recipient') this.smtputf8 |= SMTPUTF8_FLAGS[where]
    if (this.has('autoUtf8')) this.smtputf8 |= SMTPUTF8_FLAGS.requested
  }

  /** The sender asks for REQUIRETLS, which counts unless requiretls_enable = no (RFC 8689 2). */
  requireTls(): void {
    if (this.#allowsRequireTls) this.smtputf8 |= SENDOPT_FLAGS.requireTls
  }

  get wantsRequireTls(): boolean {
    return (this.smtputf8 & SENDOPT_FLAGS.requireTls) !== 0
  }

  /** The sender does not care for TLS (RFC 8689 5). */
  waiveTls(): void {
    this.smtputf8 |= SENDOPT_FLAGS.tlsOptional
  }

  get wantsSmtpUtf8(): boolean {
    return (this.smtputf8 & SMTPUTF8_FLAGS.requested) !== 0
  }
}
