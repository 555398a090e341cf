/**
 * envelope-stage - the records before the content: times, sender, attributes, recipients
 *
 * Copies what it does not act upon, in the order of the client. Adds create_time behind the arrival time, completes the
 * sender, expands recipients (recipients.ts), and puts the time for a delay warning before the first of them.
 *
 * Source: Postfix 3.7 cleanup(8), queue file format.
 */
import { isAscii } from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import { RecordError } from '@posthorn/queue/queue-error'
import { encodeAttribute, parseAttribute, pseudoType } from '@posthorn/queue/named-attribute'
import { encodeRecord, RECORD, untilNul } from '@posthorn/queue/record'
import { padNumber, parseSendOptions } from '@posthorn/queue/size-record'
import { parseTimeRecord } from '@posthorn/queue/time-record'
import { SENDOPT_FLAGS } from '@posthorn/wire/attr-groups'
import type { CleanupContext } from './cleanup-context.ts'
import { applyExtraFlags } from './extra-flags.ts'
import { standInForMilters } from './milter-stand-in.ts'
import type { Message } from './message.ts'
import { RecipientGroup } from './recipient-group.ts'
import type { RecordInput } from './record-input.ts'
import { refuseRecord } from './refuse-record.ts'
import type { Stage, StepResult } from './stage.ts'

const COPIED = new Set<string>([RECORD.inspector, RECORD.filter, RECORD.redirect, RECORD.killed])

export class EnvelopeStage implements Stage {
  readonly #message: Message
  readonly #context: CleanupContext
  readonly #next: () => Stage
  readonly #group: RecipientGroup
  #hasVerp = false
  #attributeCount = 0
  #recipientsBegan = false

  constructor(message: Message, context: CleanupContext, next: () => Stage) {
    this.#message = message
    this.#context = context
    this.#next = next
    this.#group = new RecipientGroup(message, context)
  }

  step(input: RecordInput): StepResult | Promise<StepResult> {
    while (input.next()) {
      const { type } = input
      if (type === RECORD.message) return this.#end()
      const waiting = this.#record(type, untilNul(input.payload()), input)
      if (waiting !== undefined) return waiting.then(() => 'again')
      if (this.#message.isBroken) return 'again'
    }
    return 'more'
  }

  #record(type: string, payload: string, input: RecordInput): Promise<void> | undefined {
    const message = this.#message
    switch (type) {
      case RECORD.size:
        // of a submission, or of a message that is stored anew: REQUIRETLS must not be lost, the rest is seen again
        if ((parseSendOptions(payload) & SENDOPT_FLAGS.requireTls) !== 0) message.requireTls()
        return undefined
      case RECORD.createTime:
        return undefined // ours are written afresh
      case RECORD.milters:
        message.hasSmtpdMilters = true
        // What follows then is no record: it is what smtpd(8) knows about its Milters.
        if (payload !== '0') throw new RecordError('Cannot take over Milters from smtpd(8)')
        return undefined
      case RECORD.time:
        this.#time(payload)
        return undefined
      case RECORD.fullName:
        if (message.fullName === undefined) {
          message.fullName = payload
          message.write(type, payload)
        }
        return undefined
      case RECORD.sender:
        return this.#sender(payload)
      case RECORD.attribute:
        this.#attribute(payload, input.octets())
        return undefined
      case RECORD.dsnReturn:
      case RECORD.dsnEnvelopeId:
        this.#pseudo(type, payload, input.octets())
        return undefined
      case RECORD.dsnOriginalRecipient:
      case RECORD.dsnNotify:
        this.#group.attribute(type, payload)
        return undefined
      case RECORD.verp:
        this.#verp(payload)
        return undefined
      case RECORD.warnTime:
        message.hasWarnTime = true
        message.write(type, payload)
        return undefined
      case RECORD.flags:
        applyExtraFlags(message, payload)
        return undefined
      case RECORD.recipient:
      case RECORD.originalRecipient:
      case RECORD.done:
      case RECORD.canceled:
        return this.#beginRecipients() ? this.#group.record(type, payload) : undefined
      default:
        if (!COPIED.has(type)) refuseRecord(message, type, 'envelope')
        else if (type !== RECORD.killed || this.#beginRecipients()) {
          if (type === RECORD.killed) message.hasRecipientsHere = true // it may have been one
          message.writeOctets(input.octets())
        }
        return undefined
    }
  }

  #end(): Stage {
    const message = this.#message
    if (this.#beginRecipients()) {
      message.beginContent()
      return this.#next()
    }
    return this
  }

  /** What must be there before the first recipient, or before the content. */
  #beginRecipients(): boolean {
    const message = this.#message
    if (message.arrival === undefined) this.#reject('missing time envelope record')
    else if (message.sender === undefined) this.#reject('missing sender envelope record')
    if (message.status !== 0) return false
    if (this.#recipientsBegan) return true
    this.#recipientsBegan = true
    const { delayWarningSeconds } = this.#context.settings
    if (delayWarningSeconds > 0 && message.sender !== '' && !message.hasWarnTime) {
      const time = (message.arrival?.seconds ?? 0) + delayWarningSeconds
      message.writer.append(encodeRecord(RECORD.warnTime, padNumber(time)))
      message.hasWarnTime = true
    }
    return true
  }

  #time(payload: string): void {
    const message = this.#message
    if (message.arrival !== undefined) return
    message.arrival = parseTimeRecord(payload)
    if (message.arrival === undefined) return // and it will be missed
    message.write(RECORD.time, payload)
    const created = message.writer.created.seconds
    message.writeOctets(encodeAttribute('create_time', created))
  }

  #sender(payload: string): Promise<void> | undefined {
    const message = this.#message
    if (message.sender !== undefined) {
      this.#reject('multiple envelope sender records')
      return undefined
    }
    const finished = (address: string): Promise<void> | undefined => {
      message.sender = address
      message.write(RECORD.sender, address)
      if (!isAscii(address)) message.noteUtf8('sender')
      standInForMilters(message, this.#context.settings.milterAction)
      if (message.isBroken) return undefined
      return this.#group.senderBcc(address)
    }
    const address = this.#context.mapping.envelopeSender(message, payload)
    return typeof address === 'string' ? finished(address) : address.then(finished)
  }

  #attribute(payload: string, octets: string): void {
    const message = this.#message
    const attribute = parseAttribute(payload)
    if (typeof attribute === 'string') {
      this.#reject(`malformed attribute: ${attribute}: ${payload.slice(0, 100)}`)
      return
    }
    const { name, value } = attribute
    if (value === '') {
      this.#warn(`spurious null attribute value for "${name}" -- ignored`)
      return
    }
    const pseudo = pseudoType(name)
    if (pseudo !== undefined) {
      this.#pseudo(pseudo, value, octets)
      return
    }
    if (name === 'rewrite_context') {
      if (value !== 'local' && value !== 'remote') {
        this.#reject(`bad rewriting context: ${value.slice(0, 100)}`)
        return
      }
      message.rewriteContext = value
    } else if (name === 'encoding') message.encoding = value
    message.attributes.set(name, value)
    const limit = this.#context.settings.attributeLimit
    this.#attributeCount++
    if (this.#attributeCount >= limit) this.#reject(`attribute count exceeds limit ${limit}`)
    else message.write(RECORD.attribute, payload)
  }

  /** Attributes that are also record types of their own. */
  #pseudo(type: string, value: string, octets: string): void {
    const message = this.#message
    switch (type) {
      case RECORD.createTime:
        return
      case RECORD.dsnReturn:
        if (value !== '1' && value !== '2') {
          this.#reject(`bad DSN RET record <${octets.slice(2, 102)}>`)
          return
        }
        message.returnFlags = Number(value)
        message.writeOctets(octets)
        return
      case RECORD.dsnEnvelopeId:
        message.envelopeId = value
        message.writeOctets(octets)
        return
      default:
        this.#group.attribute(type, value)
    }
  }

  #verp(payload: string): void {
    const message = this.#message
    message.noteOtherRecord()
    const { verpFilter } = this.#context.settings
    const isGood =
      payload.length === 2 && Array.from(payload).every((char) => verpFilter.includes(char))
    if (message.sender === undefined || message.sender === '') {
      this.#warn('ignoring VERP request for null sender')
    } else if (!isGood) {
      this.#warn(`ignoring bad VERP request: "${payload.slice(0, 100)}"`)
    } else if (!this.#hasVerp) {
      this.#hasVerp = true
      message.writeOctets(encodeRecord(RECORD.verp, payload))
    }
  }

  #reject(text: string): void {
    this.#warn(`message rejected: ${text}`)
    this.#message.fail('bad')
  }

  #warn(text: string): void {
    log.warning(`${this.#message.id}: ${text}`)
  }
}
