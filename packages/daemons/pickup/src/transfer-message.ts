/**
 * transfer-message - one maildrop file to cleanup(8)
 *
 *   [L content_filter] [T]  envelope  M  Received:  content  X  extracted recipients  E
 *
 * Filters and redirections in a file of a user are dropped, and attributes behind the content except those about
 * recipients: otherwise a user could send mail past the checks. A Received header tells where the message came from.
 *
 * Limits: records of line_length_limit octets; SEND_OCTETS waiting for cleanup(8).
 * Source: Postfix 3.7 pickup(8), queue file format.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import { isContinuation } from '@posthorn/message/header-line'
import { formatLocalReceived } from '@posthorn/message/received'
import { parseAttribute, pseudoType } from '@posthorn/queue/named-attribute'
import { RecordError } from '@posthorn/queue/queue-error'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { RecordFile, type FileRecord } from '@posthorn/queue/record-file'
import { CLEANUP_STATUS } from '@posthorn/wire/cleanup-protocol'
import type { SubmissionSession } from '@posthorn/wire/submission-session'
import { warnOfAge, type MaildropFile } from './maildrop-file.ts'
import type { PickupSettings } from './pickup-settings.ts'

export type TransferResult =
  | { readonly kind: 'queued' }
  /** Not this time: the file stays. */
  | { readonly kind: 'tryAgain' }
  /** Never: the file goes. */
  | { readonly kind: 'malformed'; readonly reason: string }

const ENVELOPE = new Set('McTCFILSDRO/WVA>K<ion')
const CONTENT = new Set('XLNw')
const EXTRACTED = new Set('EDRO/PreAFIL>Kon')
const SEND_OCTETS = 64 * 1024

/** The session is over afterwards, however it went. */
export async function transferMessage(
  file: MaildropFile,
  session: SubmissionSession,
  settings: PickupSettings,
): Promise<TransferResult> {
  warnOfAge(file, session.queueId)
  try {
    const transfer = new Transfer(file, session, settings)
    const malformed = await transfer.run()
    if (malformed !== undefined) return { kind: 'malformed', reason: malformed }
  } catch (error) {
    session.cancel()
    throw error
  }
  const { status, reason } = await session.finish()
  if (status === 0) return { kind: 'queued' }
  const why = reason === '' ? statusText(status) : reason
  const text = `${file.path}: error writing ${session.queueId}: ${why}`
  if ((status & (CLEANUP_STATUS.bad | CLEANUP_STATUS.recipients)) !== 0) {
    return { kind: 'malformed', reason: text }
  }
  log.warning(text)
  return { kind: 'tryAgain' }
}

function statusText(status: number): string {
  if ((status & CLEANUP_STATUS.defer) !== 0) return 'service unavailable'
  if ((status & CLEANUP_STATUS.bad) !== 0) return 'internal protocol error'
  if ((status & CLEANUP_STATUS.recipients) !== 0) return 'no recipients specified'
  if ((status & CLEANUP_STATUS.hops) !== 0) return 'too many hops'
  if ((status & CLEANUP_STATUS.size) !== 0) return 'message file too big'
  if ((status & CLEANUP_STATUS.content) !== 0) return 'message content rejected'
  return 'queue file write error'
}

class Transfer {
  readonly #file: MaildropFile
  readonly #session: SubmissionSession
  readonly #settings: PickupSettings
  readonly #records: RecordFile
  #octets = ''
  #hasTime = false
  #hasSender = false
  #hasText = false

  constructor(file: MaildropFile, session: SubmissionSession, settings: PickupSettings) {
    this.#file = file
    this.#session = session
    this.#settings = settings
    this.#records = new RecordFile(file.fd)
  }

  /** Sends everything. @returns what is wrong with the file; the session is then cancelled */
  async run(): Promise<string | undefined> {
    try {
      const { contentFilter } = this.#settings
      if (contentFilter !== '') this.#send(RECORD.filter, contentFilter)
      await this.#copy(ENVELOPE, RECORD.message, (record) => {
        this.#envelope(record)
      })
      this.#received()
      await this.#copy(CONTENT, RECORD.extracted, (record) => {
        this.#content(record)
      })
      await this.#copy(EXTRACTED, RECORD.end, (record) => {
        this.#extracted(record)
      })
      this.#flush()
      return undefined
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      this.#session.cancel()
      return `uid=${this.#file.ownerId}: ${error.message}`
    }
  }

  /** Up to and with the record that ends the segment. @throws {RecordError} a record that must not be there, or none */
  async #copy(
    allowed: ReadonlySet<string>,
    last: string,
    copy: (record: FileRecord) => void,
  ): Promise<void> {
    for (;;) {
      const record = this.#records.read()
      if (
        record === undefined ||
        !allowed.has(record.type) ||
        record.payload.length > this.#settings.lineLimit
      ) {
        const type = record === undefined ? -1 : record.type.charCodeAt(0)
        throw new RecordError(`unexpected or malformed record type ${type}`)
      }
      copy(record)
      if (record.type === last) return
      if (this.#octets.length >= SEND_OCTETS) {
        this.#flush()
        await this.#session.ready()
      }
    }
  }

  #envelope(record: FileRecord): void {
    const { type, payload } = record
    switch (type) {
      case RECORD.filter:
      case RECORD.redirect:
        return
      case RECORD.time:
        this.#hasTime = true
        break
      case RECORD.sender:
        this.#time()
        this.#hasSender = true
        this.#logSender(payload)
        break
      case RECORD.message:
        this.#time()
        if (!this.#hasSender) throw new RecordError('no envelope sender')
        break
      default:
    }
    this.#send(type, payload)
  }

  /** A file without arrival time arrived when it was written. */
  #time(): void {
    if (this.#hasTime) return
    this.#hasTime = true
    this.#send(RECORD.time, String(Math.floor(this.#file.modifiedMs / 1000)))
  }

  #logSender(sender: string): void {
    const { queueId } = this.#session
    const isRequeued = this.#file.isRequeued(this.#settings.mailOwnerId)
    const origin = isRequeued ? ` orig_id=${this.#file.name}` : ''
    log.info(`${queueId}: uid=${this.#file.ownerId} from=<${quoteAddress(sender)}>${origin}`)
  }

  #received(): void {
    const { hostname, mailName } = this.#settings
    const lines = formatLocalReceived({
      hostname,
      mailName,
      queueId: this.#session.queueId,
      timeMs: Math.min(this.#file.modifiedMs, Date.now()),
      userId: this.#file.ownerId,
    })
    for (const line of lines) this.#send(RECORD.line, line)
  }

  #content({ type, payload }: FileRecord): void {
    if (type === RECORD.padding) return
    const isText = type === RECORD.line || type === RECORD.part
    // Text that looks like the rest of a header must not become part of ours.
    if (isText && !this.#hasText && isContinuation(payload)) this.#send(RECORD.line, '')
    if (isText) this.#hasText = true
    this.#send(type, payload)
  }

  #extracted(record: FileRecord): void {
    switch (record.type) {
      case RECORD.filter:
      case RECORD.redirect:
      case RECORD.returnReceipt:
      case RECORD.errorsTo:
        return
      case RECORD.attribute:
        if (!isAboutRecipient(record.payload)) return
        break
      default:
    }
    this.#send(record.type, record.payload)
  }

  #send(type: string, payload: string): void {
    this.#octets += encodeRecord(type, payload)
  }

  #flush(): void {
    if (this.#octets !== '') this.#session.send(this.#octets)
    this.#octets = ''
  }
}

function isAboutRecipient(payload: string): boolean {
  const attribute = parseAttribute(payload)
  return typeof attribute !== 'string' && pseudoType(attribute.name) !== undefined
}
