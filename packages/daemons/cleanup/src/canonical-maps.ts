/**
 * canonical-maps - the permanent address of a person, in envelopes and headers
 *
 * sender_canonical_maps or recipient_canonical_maps first, then canonical_maps; each again and again until nothing
 * changes. Which kinds of addresses are mapped is configured for each.
 *
 * Limit: NESTING_LIMIT results in a row, then the last one is kept.
 * Source: Postfix 3.7 canonical(5), cleanup(8).
 */
import { foldCase } from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import type { AddressMap } from './address-map.ts'
import type { MappingClass } from './mapping-class.ts'
import type { Message } from './message.ts'

const NESTING_LIMIT = 10

export interface ClassedMap {
  readonly map: AddressMap
  readonly classes: ReadonlySet<MappingClass>
}

export class CanonicalMaps {
  readonly #maps: readonly ClassedMap[]

  /** @param maps in the order in which they apply */
  constructor(maps: readonly ClassedMap[]) {
    this.#maps = maps
  }

  appliesTo(kind: MappingClass): boolean {
    return this.#maps.some(({ classes }) => classes.has(kind))
  }

  /** Internal form in and out. A table that fails fails the message. */
  async map(message: Message, address: string, kind: MappingClass): Promise<string> {
    let result = address
    for (const { map, classes } of this.#maps) {
      if (classes.has(kind)) result = await follow(message, map, result)
    }
    return result
  }
}

async function follow(message: Message, map: AddressMap, address: string): Promise<string> {
  let current = address
  for (let count = 0; count < NESTING_LIMIT; count++) {
    const answer = await map.find(current)
    if (answer.kind === 'absent') return current
    if (answer.kind === 'tryAgain') {
      log.warning(
        `${message.id}: ${map.name} map lookup problem for ${address} -- message not accepted, try again later`,
      )
      message.fail('write')
      return address
    }
    const [next] = answer.addresses
    if (answer.addresses.length > 1) {
      log.warning(`${message.id}: multi-valued ${map.name} entry for ${current}`)
    }
    if (next === undefined || foldCase(next) === foldCase(current)) return next ?? current
    current = next
  }
  log.warning(
    `${message.id}: unreasonable ${map.name} map nesting for ${address} -- message not accepted, try again later`,
  )
  return current
}
