/**
 * virtual-aliases - the mailboxes that stand behind an envelope recipient
 *
 * Expansion goes on until addresses stand for themselves. The list grows in place: the first result takes the place of the
 * address, the others come at the end, so that a group keeps its order however deep it is.
 *
 * Limits: virtual_alias_expansion_limit results, virtual_alias_recursion_limit steps for one of them,
 * virtual_alias_address_length_limit octets. Beyond them the client is told to try again: somebody must mend the table.
 * Source: Postfix 3.7 virtual(5), cleanup(8).
 */
import { foldCase } from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import type { AddressMap } from './address-map.ts'
import type { Message } from './message.ts'
import type { Settings } from './settings.ts'

const REASON = '4.6.0 Alias expansion error'

export class VirtualAliases {
  readonly #map: AddressMap
  readonly #settings: Settings

  constructor(map: AddressMap, settings: Settings) {
    this.#map = map
    this.#settings = settings
  }

  /** Internal form in and out; the address itself when it is no alias, or when expansion failed. */
  async expand(message: Message, address: string): Promise<readonly string[]> {
    const results = [address]
    /** Addresses that expanded to themselves: they are final. */
    const final = new Set<string>()
    for (let at = 0; at < results.length; at++) {
      if (results.length > this.#settings.virtualExpansionLimit) {
        this.#refuse(message, `unreasonable ${this.#map.name} map expansion size for ${address}`)
        return [address]
      }
      if (!(await this.#expandOne(message, results, { at, address, final }))) return [address]
    }
    return results
  }

  /** @returns false when the message cannot be accepted */
  async #expandOne(
    message: Message,
    results: string[],
    how: { readonly at: number; readonly address: string; readonly final: Set<string> },
  ): Promise<boolean> {
    const { at, address, final } = how
    for (let steps = 0; ; steps++) {
      const current = results[at] ?? ''
      if (final.has(foldCase(current))) return true
      if (steps >= this.#settings.virtualRecursionLimit) {
        this.#refuse(message, `unreasonable ${this.#map.name} map nesting for ${address}`)
        return false
      }
      const answer = await this.#map.find(current)
      if (answer.kind === 'absent') return true
      if (answer.kind === 'tryAgain') {
        this.#refuse(message, `${this.#map.name} map lookup problem for ${current}`, 'write')
        return false
      }
      if (answer.addresses.length === 0) return true
      for (const [index, result] of answer.addresses.entries()) {
        if (result.length > this.#settings.virtualAddressLimit) {
          const start = result.slice(0, 300)
          this.#refuse(message, `unreasonable ${this.#map.name} result ${start}...`)
          return false
        }
        if (index === 0) results[at] = result
        else results.push(result)
        if (foldCase(result) === foldCase(current)) final.add(foldCase(current))
      }
    }
  }

  #refuse(message: Message, problem: string, status: 'write' | 'defer' = 'defer'): void {
    log.warning(`${message.id}: ${problem} -- message not accepted, try again later`)
    message.fail(status, REASON)
  }
}
