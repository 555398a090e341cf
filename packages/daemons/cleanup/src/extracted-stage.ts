/**
 * extracted-stage - the records behind the content: recipients from headers, requests of smtpd(8)
 *
 * Before the first recipient the results of inspection are written: content filter, redirection, encoding. At the end
 * come the automatic copies: always_bcc, then BCC actions.
 *
 * Source: Postfix 3.7 cleanup(8), queue file format.
 */
import { log } from '@posthorn/log/log'
import { encodeAttribute, parseAttribute, pseudoType } from '@posthorn/queue/named-attribute'
import { RECORD, untilNul } from '@posthorn/queue/record'
import type { CleanupContext } from './cleanup-context.ts'
import { applyExtraFlags } from './extra-flags.ts'
import type { Message } from './message.ts'
import { RecipientGroup } from './recipient-group.ts'
import type { RecordInput } from './record-input.ts'
import { refuseRecord } from './refuse-record.ts'
import type { Stage, StepResult } from './stage.ts'

const COPIED = new Set<string>([
  ...[RECORD.returnReceipt, RECORD.errorsTo, RECORD.priority, RECORD.fullName],
  ...[RECORD.inspector, RECORD.filter, RECORD.redirect, RECORD.killed],
])

export class ExtractedStage implements Stage {
  readonly #message: Message
  readonly #context: CleanupContext
  readonly #group: RecipientGroup
  #hasResults = false

  constructor(message: Message, context: CleanupContext) {
    this.#message = message
    this.#context = context
    this.#group = new RecipientGroup(message, context)
  }

  step(input: RecordInput): StepResult | Promise<StepResult> {
    while (input.next()) {
      const { type } = input
      if (type === RECORD.end) return this.#end()
      const waiting = this.#record(type, untilNul(input.payload()), input)
      if (waiting !== undefined) return waiting.then(() => 'again')
      if (this.#message.isBroken) return 'again'
    }
    return 'more'
  }

  #record(type: string, payload: string, input: RecordInput): Promise<void> | undefined {
    const message = this.#message
    switch (type) {
      case RECORD.attribute:
        this.#attribute(payload, input)
        return undefined
      case RECORD.dsnOriginalRecipient:
      case RECORD.dsnNotify:
        this.#group.attribute(type, payload)
        return undefined
      case RECORD.flags:
        applyExtraFlags(message, payload)
        return undefined
      case RECORD.recipient:
        this.#writeResults()
        return this.#group.record(type, payload)
      case RECORD.originalRecipient:
      case RECORD.done:
      case RECORD.canceled:
        return this.#group.record(type, payload)
      default:
        if (type === RECORD.killed) message.hasRecipientsHere = true
        if (COPIED.has(type)) message.writeOctets(input.octets())
        else refuseRecord(message, type, 'extracted envelope')
        return undefined
    }
  }

  #attribute(payload: string, input: RecordInput): void {
    const attribute = parseAttribute(payload)
    if (typeof attribute === 'string') {
      log.warning(
        `${this.#message.id}: message rejected: malformed attribute: ${attribute}: ${payload.slice(0, 100)}`,
      )
      this.#message.fail('bad')
      return
    }
    if (attribute.value === '') {
      log.warning(
        `${this.#message.id}: spurious null attribute value for "${attribute.name}" -- ignored`,
      )
      return
    }
    const pseudo = pseudoType(attribute.name)
    if (pseudo === RECORD.dsnOriginalRecipient || pseudo === RECORD.dsnNotify) {
      this.#group.attribute(pseudo, attribute.value)
    } else if (pseudo !== RECORD.createTime) this.#message.writeOctets(input.octets())
  }

  #writeResults(): void {
    if (this.#hasResults) return
    this.#hasResults = true
    const message = this.#message
    if (message.filter !== undefined) message.write(RECORD.filter, message.filter)
    if (message.redirect !== undefined) message.write(RECORD.redirect, message.redirect)
    if (message.encoding !== '') {
      message.writeOctets(encodeAttribute('encoding', message.encoding))
    }
  }

  #end(): StepResult | Promise<StepResult> {
    const message = this.#message
    this.#writeResults()
    const { alwaysBcc } = this.#context.settings
    const isCopied = alwaysBcc !== '' && message.has('bcc')
    const copies = isCopied ? [alwaysBcc, ...message.bcc] : message.bcc
    if (copies.length === 0) return this.#finish()
    return this.#writeCopies(copies)
  }

  async #writeCopies(copies: readonly string[]): Promise<StepResult> {
    for (const address of copies) {
      await this.#group.bcc(address)
      if (this.#message.isBroken) break
    }
    return this.#finish()
  }

  #finish(): StepResult {
    const message = this.#message
    if (!message.isBroken) message.writer.append(RECORD.end + '\0')
    return 'end'
  }
}
