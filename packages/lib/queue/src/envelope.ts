/**
 * envelope - what a queue file says about its message, apart from the text
 *
 * EnvelopeBuilder turns records into an Envelope; read-envelope.ts brings the records in order. When
 * the same thing is said twice, it depends on what it is whether the first or the last one counts
 * (docs/queue.md): a filter of the extracted segment overrides that of the envelope, for instance.
 * Source: Postfix 3.7 qmgr(8).
 */
import { QueueFileCorruptError } from './queue-error.ts'
import { parseAttribute } from './named-attribute.ts'
import type { QueueTime } from './queue-id.ts'
import type { QueueRecipient } from './queue-recipient.ts'
import type { FileRecord } from './record-file.ts'
import { RECORD, untilNul } from './record.ts'
import type { SizeRecord } from './size-record.ts'
import { parseTimeRecord } from './time-record.ts'

/** Where the message came from, for log lines and XFORWARD. Empty = not known. */
export interface EnvelopeClient {
  readonly name: string
  readonly address: string
  readonly port: string
  readonly helo: string
  readonly protocol: string
  readonly origin: string
}

export interface Envelope {
  readonly size: SizeRecord
  readonly arrival: QueueTime
  /** When this queue file was made: basis of expiry and back-off. */
  readonly createSeconds: number
  readonly sender: string
  /** `transport:nexthop`, or empty. */
  readonly filter: string
  /** All recipients are replaced by this one; or empty. */
  readonly redirect: string
  /** As in the file, not checked; or empty. */
  readonly verpDelimiters: string
  readonly envelopeId: string
  /** 0 not given, 1 full, 2 headers. */
  readonly returnFlags: number
  /** 7bit, 8bit or empty. */
  readonly encoding: string
  readonly traceFlags: number
  /** Of the attribute, for markKilled(); 0 = there is none. */
  readonly traceFlagsOffset: number
  readonly logIdent: string
  readonly rewriteContext: string
  readonly saslMethod: string
  readonly saslUsername: string
  readonly saslSender: string
  readonly client: EnvelopeClient
  /** When a delay notice is due; 0 = never, -1 = it was sent. */
  readonly warnSeconds: number
  /** For markWarned(); 0 = there is no such record. */
  readonly warnOffset: number
  readonly recipients: readonly QueueRecipient[]
  /** Where readRecipients() goes on; 0 = all recipients were read. */
  readonly resumeOffset: number
  /** Recipient records passed so far, finished ones included. */
  readonly recipientsSeen: number
  /** Oddities that do not hinder delivery, worth a line in the log. */
  readonly warnings: readonly string[]
}

const FIRST_WINS = new Set([
  'log_ident',
  'rewrite_context',
  'sasl_method',
  'sasl_username',
  'sasl_sender',
  'trace_flags',
])
/** More odd records than these are not worth remembering. */
const WARNINGS_LIMIT = 20
const NOTIFY_NEVER = 1
const NOTIFY_MASK = 15

export class EnvelopeBuilder {
  size: SizeRecord | undefined
  recipients: QueueRecipient[] = []
  recipientsSeen = 0
  readonly warnings: string[] = []
  #arrival: QueueTime | undefined
  #createSeconds: number | undefined
  #sender: string | undefined
  #filter = ''
  #redirect = ''
  #verpDelimiters = ''
  #envelopeId = ''
  #returnFlags = 0
  #traceFlagsOffset = 0
  #warnSeconds = 0
  #warnOffset = 0
  readonly #attributes = new Map<string, string>()
  #original: string | undefined
  #dsnOriginal: string | undefined
  #notifyFlags: number | undefined

  /**
   * Takes in any record of the envelope or the extracted segment but C, M, X and E.
   * @throws {QueueFileCorruptError} a record that has no place there, or a malformed attribute
   */
  add(record: FileRecord): void {
    const text = untilNul(record.payload)
    switch (record.type) {
      case RECORD.attribute:
        this.#addAttribute(text, record.offset)
        return
      case RECORD.recipient:
        this.#addRecipient(text, record.offset)
        return
      case RECORD.done:
      case RECORD.canceled:
        this.recipientsSeen += 1
        this.#clearPending()
        return
      case RECORD.originalRecipient:
        this.#warnPendingOriginal()
        this.#original = text
        return
      case RECORD.dsnOriginalRecipient:
        this.#addDsnOriginal(text)
        return
      case RECORD.dsnNotify:
        this.#addNotify(text)
        return
      case RECORD.time:
        this.#arrival ??= parseTimeRecord(text)
        return
      case RECORD.createTime:
        this.#createSeconds = leadingNumber(text)
        return
      case RECORD.sender:
        this.#sender ??= text
        return
      case RECORD.filter:
        this.#filter = text
        return
      case RECORD.redirect:
        this.#redirect = text
        return
      case RECORD.verp:
        this.#verpDelimiters = text
        return
      case RECORD.warnTime:
        this.#warnSeconds = leadingNumber(text) ?? 0
        this.#warnOffset = record.offset
        return
      case RECORD.dsnEnvelopeId:
        this.#envelopeId = text
        return
      case RECORD.dsnReturn:
        this.#addReturn(text)
        return
      case RECORD.size:
      case RECORD.fullName:
      case RECORD.inspector:
      case RECORD.killed:
      case RECORD.returnReceipt:
      case RECORD.errorsTo:
      case RECORD.priority:
        return
      default:
        throw new QueueFileCorruptError(
          `Unexpected record type '${record.type}' at offset ${record.offset}`,
        )
    }
  }

  /** No recipient follows in this segment: what was said about the next one is left over. */
  endSegment(): void {
    this.#warnPendingOriginal()
    if (this.#dsnOriginal !== undefined) {
      this.#warn(`ignoring out-of-order DSN original recipient address <${this.#dsnOriginal}>`)
    }
    if (this.#notifyFlags !== undefined) {
      this.#warn(`ignoring out-of-order DSN notify flags <${this.#notifyFlags}>`)
    }
    this.#clearPending()
  }

  /** @throws {QueueFileCorruptError} size, time or sender are missing */
  build(resumeOffset: number): Envelope {
    if (this.#arrival === undefined) throw rejected('missing arrival time record')
    if (this.#sender === undefined) throw rejected('missing sender record')
    if (this.size === undefined) throw rejected('missing size record')
    return {
      size: this.size,
      arrival: this.#arrival,
      createSeconds: this.#createSeconds ?? this.#arrival.seconds,
      sender: this.#sender,
      filter: this.#filter,
      redirect: this.#redirect,
      verpDelimiters: this.#verpDelimiters,
      envelopeId: this.#envelopeId,
      returnFlags: this.#returnFlags,
      encoding: this.#text('encoding'),
      traceFlags: leadingNumber(this.#text('trace_flags')) ?? 0,
      traceFlagsOffset: this.#traceFlagsOffset,
      logIdent: this.#text('log_ident'),
      rewriteContext: this.#attributes.get('rewrite_context') ?? 'local',
      saslMethod: this.#text('sasl_method'),
      saslUsername: this.#text('sasl_username'),
      saslSender: this.#text('sasl_sender'),
      client: this.#client(),
      warnSeconds: this.#warnSeconds,
      warnOffset: this.#warnOffset,
      recipients: this.recipients,
      resumeOffset,
      recipientsSeen: this.recipientsSeen,
      warnings: this.warnings,
    }
  }

  #addAttribute(text: string, offset: number): void {
    const parsed = parseAttribute(text)
    if (typeof parsed === 'string') {
      throw new QueueFileCorruptError(`bad attribute record: ${parsed}: ${text.slice(0, 200)}`)
    }
    const { name, value } = parsed
    switch (name) {
      case 'create_time':
        this.#createSeconds = leadingNumber(value)
        return
      case 'ret_flags':
        this.#addReturn(value)
        return
      case 'envelope_id':
        this.#envelopeId = value
        return
      case 'dsn_orig_rcpt':
        this.#addDsnOriginal(value)
        return
      case 'notify_flags':
        this.#addNotify(value)
        return
      case 'trace_flags':
        if (this.#traceFlagsOffset === 0) this.#traceFlagsOffset = offset
    }
    if (FIRST_WINS.has(name) && this.#attributes.has(name)) {
      this.#warn(`ignoring multiple ${name} attribute: ${value}`)
    } else {
      this.#attributes.set(name, value)
    }
  }

  #addRecipient(address: string, offset: number): void {
    this.recipientsSeen += 1
    this.recipients.push({
      recipient: address,
      originalRecipient: this.#original ?? '',
      dsnOriginalRecipient: this.#dsnOriginal ?? '',
      notifyFlags: this.#notifyFlags ?? 0,
      offset,
    })
    this.#clearPending()
  }

  #addDsnOriginal(value: string): void {
    if (this.#dsnOriginal !== undefined) {
      this.#warn(`ignoring out-of-order DSN original recipient address <${this.#dsnOriginal}>`)
    }
    this.#dsnOriginal = value
  }

  #addNotify(value: string): void {
    if (this.#notifyFlags !== undefined) {
      this.#warn(`ignoring out-of-order DSN notify flags <${this.#notifyFlags}>`)
    }
    const flags = leadingNumber(value) ?? 0
    const isKnown = flags > 0 && (flags & ~NOTIFY_MASK) === 0
    if (isKnown && ((flags & NOTIFY_NEVER) === 0 || flags === NOTIFY_NEVER)) {
      this.#notifyFlags = flags
    } else {
      this.#warn(`ignoring malformed DSN notify flags <${value}>`)
    }
  }

  #addReturn(value: string): void {
    const flags = leadingNumber(value)
    if (flags === 1 || flags === 2) this.#returnFlags = flags
    else this.#warn(`ignoring malformed DSN RET flags in queue file record:${value}`)
  }

  #client(): EnvelopeClient {
    const isGiven = [...this.#attributes.keys()].some(
      (name) => name.startsWith('log_') && name !== 'log_ident',
    )
    const prefix = isGiven ? 'log_' : ''
    return {
      name: this.#text(`${prefix}client_name`),
      address: this.#text(`${prefix}client_address`),
      port: this.#text(`${prefix}client_port`),
      helo: this.#text(`${prefix}helo_name`),
      protocol: this.#text(`${prefix}protocol_name`),
      origin: this.#text('log_message_origin'),
    }
  }

  #text(name: string): string {
    return this.#attributes.get(name) ?? ''
  }

  #warnPendingOriginal(): void {
    if (this.#original !== undefined) {
      this.#warn(`ignoring out-of-order original recipient <${this.#original}>`)
    }
  }

  #clearPending(): void {
    this.#original = undefined
    this.#dsnOriginal = undefined
    this.#notifyFlags = undefined
  }

  #warn(text: string): void {
    if (this.warnings.length < WARNINGS_LIMIT) this.warnings.push(text)
  }
}

function rejected(why: string): QueueFileCorruptError {
  return new QueueFileCorruptError(`message rejected: ${why}`)
}

function leadingNumber(text: string): number | undefined {
  const found = /^\s*(-?\d{1,15})/.exec(text)
  return found === null ? undefined : Number(found[1])
}
