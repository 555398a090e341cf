/**
 * address-mapping - an address from what the client wrote to what goes into the queue file
 *
 *   rewritten (trivial-rewrite)  ->  sender_ or recipient_canonical_maps  ->  canonical_maps  ->  masqueraded
 *
 * Envelope addresses are in internal form, header addresses in external form. Where nothing has to be asked the result
 * comes at once. When a table fails the message is refused for now, and the address stays as it is.
 *
 * Source: Postfix 3.7 cleanup(8), canonical(5), ADDRESS_REWRITING_README.
 */
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import type { AddressRewriter, RewriteRule } from './address-rewriter.ts'
import type { CanonicalMaps } from './canonical-maps.ts'
import type { MappingClass } from './mapping-class.ts'
import type { Masquerade } from './masquerade.ts'
import type { Message } from './message.ts'

export class AddressMapping {
  readonly #rewriter: AddressRewriter
  readonly #canonical: CanonicalMaps | undefined
  readonly #masquerade: Masquerade | undefined

  constructor(
    rewriter: AddressRewriter,
    maps: { canonical: CanonicalMaps | undefined; masquerade: Masquerade | undefined },
  ) {
    this.#rewriter = rewriter
    this.#canonical = maps.canonical
    this.#masquerade = maps.masquerade
  }

  /** Can tables or masquerading change addresses of this kind in this message. */
  appliesTo(message: Message, kind: MappingClass): boolean {
    if (!message.has('map')) return false
    return this.#canonical?.appliesTo(kind) === true || this.#masquerade?.appliesTo(kind) === true
  }

  /** The null sender stays what it is. */
  envelopeSender(message: Message, address: string): string | Promise<string> {
    if (address === '') return ''
    return this.#envelope(message, address, 'envelope_sender')
  }

  envelopeRecipient(message: Message, address: string): string | Promise<string> {
    return this.#envelope(message, address, 'envelope_recipient')
  }

  #envelope(message: Message, address: string, kind: MappingClass): string | Promise<string> {
    const complete = this.#guard(message, address, this.#rewriter.internal('local', address))
    if (!this.appliesTo(message, kind)) return complete
    return this.#map(message, complete, kind)
  }

  headerAddress(
    message: Message,
    external: string,
    how: { rule: RewriteRule; mapped: MappingClass },
  ): string | Promise<string> {
    const complete = this.#guard(message, external, this.#rewriter.external(how.rule, external))
    if (!this.appliesTo(message, how.mapped)) return complete
    return this.#mapExternal(message, complete, how.mapped)
  }

  async #mapExternal(
    message: Message,
    complete: string | Promise<string>,
    kind: MappingClass,
  ): Promise<string> {
    const external = await complete
    const internal = unquoteAddress(external)
    const mapped = await this.#map(message, internal, kind)
    if (mapped === internal) return external
    return mapped === '' ? '""' : quoteAddress(mapped)
  }

  async #map(
    message: Message,
    complete: string | Promise<string>,
    kind: MappingClass,
  ): Promise<string> {
    let address = await complete
    if (this.#canonical?.appliesTo(kind) === true) {
      address = await this.#canonical.map(message, address, kind)
    }
    if (this.#masquerade?.appliesTo(kind) === true) {
      address = await this.#masquerade.map(message, address)
    }
    return address
  }

  /** trivial-rewrite(8) out of reach: the client is told to try again. */
  #guard(
    message: Message,
    unchanged: string,
    result: string | Promise<string>,
  ): string | Promise<string> {
    if (typeof result === 'string') return result
    return result.catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      log.warning(`${message.id}: address not rewritten: ${reason}`)
      message.fail('write')
      return unchanged
    })
  }
}
