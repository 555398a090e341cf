/**
 * address-map - the tables of one parameter, asked whether they know an address
 */
import type { LookupResult } from '@posthorn/tables/lookup-table'
import type { AddressRules, MapList } from '@posthorn/tables/map-list'

export type LookupKind = LookupResult['kind']

export class AddressMap {
  readonly #maps: MapList
  readonly #rules: AddressRules

  constructor(maps: MapList, rules: AddressRules) {
    this.#maps = maps
    this.#rules = rules
  }

  /** An empty parameter names no table. */
  get isEmpty(): boolean {
    return this.#maps.isEmpty
  }

  /** Has the address an entry? Refusing mail for good takes certainty: a table that fails says tryAgain. */
  async find(address: string): Promise<LookupKind> {
    return (await this.#maps.findAddress(address, this.#rules)).kind
  }
}
