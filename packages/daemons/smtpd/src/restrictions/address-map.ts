/**
 * address-map - the tables of one parameter, asked whether they know an address
 */
import type { AddressRules, MapList } from '@posthorn/tables/map-list'

export class AddressMap {
  readonly #maps: MapList
  readonly #rules: AddressRules

  constructor(maps: MapList, rules: AddressRules) {
    this.#maps = maps
    this.#rules = rules
  }

  /**
   * Is there an entry for the address, or might there be one? Yes without tables, and yes when a table fails:
   * refusing mail for good takes certainty.
   */
  async mayContain(address: string): Promise<boolean> {
    if (this.#maps.isEmpty) return true
    const answer = await this.#maps.findAddress(address, this.#rules)
    return answer.kind !== 'absent'
  }

  /** An entry is certain to be there. */
  async contains(address: string): Promise<boolean> {
    if (this.#maps.isEmpty) return false
    const answer = await this.#maps.findAddress(address, this.#rules)
    return answer.kind === 'found'
  }
}
