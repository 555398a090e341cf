/**
 * table-maps - address maps over lookup tables
 */
import { parseAddressList } from '@posthorn/address/address-list'
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import { splitAddress } from '@posthorn/address/split-address'
import type { AddressRules, MapList } from '@posthorn/tables/map-list'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import type { AddressMap, MapAnswer } from './address-map.ts'
import type { AddressRewriter } from './address-rewriter.ts'

export interface ResultRules {
  readonly rules: AddressRules
  readonly rewriter: AddressRewriter
  /** propagate_unmatched_extensions: an extension that the key left out goes into the result. */
  readonly keepsExtension: boolean
}

/** Canonical and virtual maps: the result is a list of addresses. */
export class ResultListMap implements AddressMap {
  readonly name: string
  readonly #list: MapList
  readonly #how: ResultRules

  constructor(list: MapList, how: ResultRules) {
    this.name = list.title
    this.#list = list
    this.#how = how
  }

  async find(address: string): Promise<MapAnswer> {
    const { rules, rewriter, keepsExtension } = this.#how
    try {
      const answer = await this.#list.findAddress(address, rules)
      if (answer.kind !== 'found') return answer
      const { local } = splitAddress(address)
      const addresses: string[] = []
      for (const node of parseAddressList(answer.value)) {
        if (node.kind !== 'address') continue
        const result = unquoteAddress(node.text)
        const inherited = node.text.startsWith('@') ? local + result : result
        const extended = keepsExtension ? addExtension(inherited, answer.extension) : inherited
        const complete =
          extended === '' ? '' : await rewriter.external('local', quoteAddress(extended))
        addresses.push(unquoteAddress(complete))
      }
      return { kind: 'found', addresses }
    } catch (error) {
      if (error instanceof TableUnavailableError) return { kind: 'tryAgain', reason: error.message }
      throw error
    }
  }
}

function addExtension(address: string, extension: string): string {
  if (extension === '' || address === '') return address
  const { local, domain } = splitAddress(address)
  return domain === undefined ? local + extension : `${local}${extension}@${domain}`
}

/** BCC maps: the result is one address, as it stands. */
export class CopyMap implements AddressMap {
  readonly name: string
  readonly #list: MapList
  readonly #rules: AddressRules

  constructor(list: MapList, rules: AddressRules) {
    this.name = list.title
    this.#list = list
    this.#rules = rules
  }

  async find(address: string): Promise<MapAnswer> {
    try {
      const answer = await this.#list.findAddress(address, this.#rules)
      return answer.kind === 'found' ? { kind: 'found', addresses: [answer.value] } : answer
    } catch (error) {
      if (error instanceof TableUnavailableError) return { kind: 'tryAgain', reason: error.message }
      throw error
    }
  }
}
