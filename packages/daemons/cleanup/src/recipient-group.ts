/**
 * recipient-group - the records about one recipient, and what becomes of them
 *
 *     [A notify_flags] [A dsn_orig_rcpt] O R      for every address that the recipient turns into
 *
 * The recipient is completed and mapped, expanded by virtual aliases, and written unless it is there already.
 * Recipients that are done or cancelled are dropped with what was said about them. Automatic copies follow whoever
 * triggers them.
 *
 * Source: Postfix 3.7 cleanup(8); RFC 3461.
 */
import { isAscii } from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import { encodeAttribute } from '@posthorn/queue/named-attribute'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { NOTIFY_FLAGS, type Recipient } from '@posthorn/wire/attr-groups'
import type { CleanupContext } from './cleanup-context.ts'
import type { Message } from './message.ts'
import type { VirtualAliases } from './virtual-aliases.ts'

type NewRecipient = Omit<Recipient, 'offset'>

const SOME_NOTIFY_FLAGS = NOTIFY_FLAGS.success | NOTIFY_FLAGS.failure | NOTIFY_FLAGS.delay

export class RecipientGroup {
  readonly #message: Message
  readonly #context: CleanupContext
  #original: string | undefined
  #dsnOriginal: string | undefined
  #notifyFlags = 0

  constructor(message: Message, context: CleanupContext) {
    this.#message = message
    this.#context = context
  }

  /** dsn_orig_rcpt or notify_flags for the recipient that follows. */
  attribute(type: string, value: string): void {
    this.#message.hasRecipientsHere = true
    if (type === RECORD.dsnOriginalRecipient) {
      this.#dsnOriginal = value
      return
    }
    const flags = /^\d{1,5}$/.test(value) ? Number(value) : -1
    if (flags === NOTIFY_FLAGS.never || (flags > 0 && (flags & ~SOME_NOTIFY_FLAGS) === 0)) {
      this.#notifyFlags = flags
      this.#message.sizeFlags |= flags << 1
    } else {
      const shown = value.slice(0, 100)
      log.warning(`${this.#message.id}: ignoring malformed DSN notify record <${shown}>`)
    }
  }

  record(type: string, payload: string): Promise<void> | undefined {
    this.#message.hasRecipientsHere = true
    if (type === RECORD.originalRecipient) {
      this.#original = payload
      return undefined
    }
    const original = this.#original ?? payload
    const dsnOriginal = this.#dsnOriginal
    const notifyFlags = this.#notifyFlags
    this.#original = this.#dsnOriginal = undefined
    this.#notifyFlags = 0
    if (type !== RECORD.recipient) return undefined
    const { settings, mapping } = this.#context
    const address = mapping.envelopeRecipient(
      this.#message,
      payload === '' ? settings.emptyRecipient : payload,
    )
    const finished = (complete: string): Promise<void> | undefined => {
      this.#message.lastRecipient = complete
      if (!isAscii(complete)) this.#message.noteUtf8('recipient')
      const dsn = dsnOriginal ?? `${this.#addressType(complete)};${complete}`
      return this.#expand({
        originalRecipient: original,
        recipient: complete,
        dsnOriginalRecipient: dsn,
        notifyFlags,
      })
    }
    return typeof address === 'string' ? finished(address) : address.then(finished)
  }

  /** RFC 6533 3: an address beyond ASCII is of type utf-8, which only SMTPUTF8 mail may carry. */
  #addressType(address: string): string {
    return this.#message.wantsSmtpUtf8 && !isAscii(address) ? 'utf-8' : 'rfc822'
  }

  #expand(recipient: NewRecipient): Promise<void> | undefined {
    const { virtualAliases, bccMaps } = this.#context
    if (virtualAliases !== undefined && this.#message.has('map')) {
      return this.#expandAliases(virtualAliases, recipient)
    }
    this.#write(recipient)
    return bccMaps === undefined ? undefined : this.#recipientBcc(recipient.recipient)
  }

  async #expandAliases(aliases: VirtualAliases, recipient: NewRecipient): Promise<void> {
    const message = this.#message
    const address = recipient.recipient
    const results = await aliases.expand(message, address)
    let { notifyFlags } = recipient
    const isChanged = results.length !== 1 || results[0] !== address
    if (isChanged && (notifyFlags & NOTIFY_FLAGS.success) !== 0) {
      // RFC 3461 5.2.7.3: the alias itself has been delivered to, its members owe no more reports of success.
      await this.#context.bounces.expanded(message, recipient)
      notifyFlags &= ~NOTIFY_FLAGS.success
      if (notifyFlags === 0) notifyFlags = NOTIFY_FLAGS.never
    }
    for (const result of results) this.#write({ ...recipient, notifyFlags, recipient: result })
    await this.#recipientBcc(address)
  }

  #write(recipient: NewRecipient): void {
    const message = this.#message
    const { originalRecipient, dsnOriginalRecipient, notifyFlags } = recipient
    const key = this.#context.settings.keepsOriginalRecipient
      ? `${dsnOriginalRecipient}\n${notifyFlags}\n${originalRecipient}\n${recipient.recipient}`
      : recipient.recipient
    if (message.duplicates.isDuplicate(key)) return
    let octets = notifyFlags === 0 ? '' : encodeAttribute('notify_flags', notifyFlags)
    if (dsnOriginalRecipient !== '') {
      octets += encodeAttribute('dsn_orig_rcpt', dsnOriginalRecipient)
    }
    octets += encodeRecord(RECORD.originalRecipient, originalRecipient)
    const offset = message.writer.position + octets.length
    message.writer.append(octets + encodeRecord(RECORD.recipient, recipient.recipient))
    message.hasRecipientsHere = true
    message.recipientCount++
    if (message.has('bounce')) message.recipients.push({ ...recipient, offset })
  }

  /** always_bcc, sender_bcc_maps, recipient_bcc_maps, BCC actions: nobody is told when such a copy fails. */
  bcc(address: string): Promise<void> | undefined {
    const message = this.#message
    const complete = this.#context.mapping.envelopeRecipient(message, address)
    const finished = async (result: string): Promise<void> => {
      const { virtualAliases } = this.#context
      const canExpand = virtualAliases !== undefined && message.has('map')
      const results = canExpand ? await virtualAliases.expand(message, result) : [result]
      for (const one of results) {
        this.#write({
          recipient: one,
          originalRecipient: result,
          dsnOriginalRecipient: '',
          notifyFlags: NOTIFY_FLAGS.never,
        })
      }
    }
    return typeof complete === 'string' ? finished(complete) : complete.then(finished)
  }

  senderBcc(sender: string): Promise<void> | undefined {
    const { bccMaps } = this.#context
    if (bccMaps === undefined || !this.#message.has('bcc') || sender === '') return undefined
    return this.#bccFrom(bccMaps.forSender(this.#message, sender))
  }

  async #recipientBcc(recipient: string): Promise<void> {
    const { bccMaps } = this.#context
    if (bccMaps === undefined || !this.#message.has('bcc')) return
    await this.#bccFrom(bccMaps.forRecipient(this.#message, recipient))
  }

  async #bccFrom(lookup: Promise<string | undefined>): Promise<void> {
    const address = await lookup
    if (address !== undefined && !this.#message.isBroken) await this.bcc(address)
  }
}
