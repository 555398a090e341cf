/**
 * submission - which records a local user may put into the maildrop directory
 *
 *   envelope  C M F S R V A n i    content  X L N    extracted  E A R
 *
 * C says what the message asks for (REQUIRETLS), and no size, as in Postfix 3.11.
 * Attributes only those that say how to rewrite, encode, trace and report; others are dropped with a warning. Everything
 * else ends the submission. What is accepted is written anew, so that nothing unchecked gets into the file.
 *
 * Source: Postfix 3.7 postdrop(1).
 */
import { encodeAttribute, parseAttribute, pseudoType } from '@posthorn/queue/named-attribute'
import { encodeRecord, RECORD, type QueueRecord } from '@posthorn/queue/record'
import {
  encodePreliminarySize,
  isPreliminarySize,
  parseSendOptions,
} from '@posthorn/queue/size-record'
import { SENDOPT_FLAGS } from '@posthorn/wire/attr-groups'

/** The client is no mail program of ours: there is no polite answer. */
export class MalformedSubmissionError extends SyntaxError {
  override readonly name = 'MalformedSubmissionError'
  readonly code = 'POSTHORN_MALFORMED_SUBMISSION'
}

const SEGMENTS = {
  envelope: new Set<string>([
    ...[RECORD.size, RECORD.message, RECORD.fullName, RECORD.sender, RECORD.recipient],
    ...[RECORD.verp, RECORD.attribute, RECORD.dsnNotify, RECORD.dsnEnvelopeId],
  ]),
  content: new Set<string>([RECORD.extracted, RECORD.part, RECORD.line]),
  extracted: new Set<string>([RECORD.end, RECORD.attribute, RECORD.recipient]),
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  [RECORD.fullName]: 'FULLNAME',
  [RECORD.sender]: 'FROM',
  [RECORD.recipient]: 'RCPT',
  [RECORD.verp]: 'VERP',
  [RECORD.attribute]: 'ATTR',
  [RECORD.dsnNotify]: 'DSN_NOTIFY',
  [RECORD.dsnEnvelopeId]: 'DSN_ENVID',
}

/** undefined: any value. */
const ATTRIBUTES = new Map<string, readonly string[] | undefined>([
  ['encoding', ['', '7bit', '8bit']],
  ['rewrite_context', ['local', 'remote']],
  ['trace_flags', undefined],
])

export class Submission {
  readonly #warn: (text: string) => void
  #segment: keyof typeof SEGMENTS = 'envelope'
  readonly #senders: string[] = []
  #hasRecipient = false
  #isComplete = false
  #complaint: string | undefined

  constructor(warn: (text: string) => void) {
    this.#warn = warn
  }

  get isComplete(): boolean {
    return this.#isComplete
  }

  /** One, if the client knows what it does; all of them have to be allowed. */
  get senders(): readonly string[] {
    return this.#senders
  }

  /** Why a complete submission is refused; undefined when it is good. Empty: sender or recipient is missing. */
  get complaint(): string | undefined {
    if (this.#complaint !== undefined) return this.#complaint
    return this.#senders.length > 0 && this.#hasRecipient ? undefined : ''
  }

  /**
   * @returns the record as it is stored; empty when it is dropped
   * @throws {MalformedSubmissionError}
   */
  take(record: QueueRecord): string {
    const { type, payload } = record
    if (!SEGMENTS[this.#segment].has(type)) {
      throw unexpectedType(type)
    }
    switch (type) {
      case RECORD.size:
        return sendOptions(payload)
      case RECORD.message:
        this.#segment = 'content'
        return encodeRecord(type)
      case RECORD.extracted:
        this.#segment = 'extracted'
        return encodeRecord(type)
      case RECORD.end:
        this.#isComplete = true
        return encodeRecord(type)
      case RECORD.sender:
        this.#senders.push(payload)
        break
      case RECORD.recipient:
        this.#hasRecipient = true
        break
      default:
    }
    if (this.#segment === 'content') return encodeRecord(type, payload)
    const bad = /[\0\r\n]/.exec(payload)
    if (bad !== null) {
      const name = bad[0] === '\0' ? 'NUL' : bad[0] === '\n' ? 'LF' : 'CR'
      this.#complaint ??= `${name} in ${TYPE_NAMES[type] ?? type} record`
      return ''
    }
    return type === RECORD.attribute ? this.#attribute(payload) : encodeRecord(type, payload)
  }

  #attribute(payload: string): string {
    const attribute = parseAttribute(payload)
    if (typeof attribute === 'string') {
      this.#warn(`ignoring malformed record: ${attribute}: ${payload.slice(0, 200)}`)
      return ''
    }
    const { name, value } = attribute
    const allowed = ATTRIBUTES.get(name)
    const isKnown = ATTRIBUTES.has(name) || pseudoType(name) !== undefined
    if (!isKnown || allowed?.includes(value) === false) {
      this.#warn(`ignoring attribute record: ${payload.slice(0, 200)}`)
      return ''
    }
    return encodeAttribute(name, value)
  }
}

/** @throws {MalformedSubmissionError} a size, or a wish that is not for users to have */
function sendOptions(payload: string): string {
  const options = parseSendOptions(payload)
  if (isPreliminarySize(payload) && (options & ~SENDOPT_FLAGS.requireTls) === 0) {
    return encodePreliminarySize(options)
  }
  throw unexpectedType(RECORD.size)
}

function unexpectedType(type: string): MalformedSubmissionError {
  return new MalformedSubmissionError(`unexpected record type: ${type.charCodeAt(0)}`)
}
