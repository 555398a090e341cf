/**
 * map-list - the tables of one parameter, searched in their order
 *
 * The first table that has the key decides; a table that fails ends the search with `tryAgain`. An address is looked up
 * in full, then without its extension, then by parts:
 *
 *     user+ext@domain   user@domain   user+ext (own domains)   user (own domains)   @domain
 *
 * Tables of patterns get the full address only. Keys that need quotes are tried with them, then without.
 * Sources: Postfix 3.7 canonical(5), virtual(5), generic(5).
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { splitAddress, splitExtension, type ExtensionRules } from '@posthorn/address/split-address'
import { splitList } from '@posthorn/config/split-list'
import { log } from '@posthorn/log/log'
import {
  andThen,
  firstAnswer,
  tryAgain,
  type LookupResult,
  type LookupTable,
  type MaybePromise,
} from './lookup-table.ts'
import { openTable, type TableContext } from './open-table.ts'

export interface AddressRules {
  readonly extensions: ExtensionRules
  /**
   * May an address of this domain be found by its local part alone? True for $myorigin, $mydestination and the
   * addresses of our interfaces. Without it, never.
   */
  readonly isLocalDomain?: (domain: string) => MaybePromise<boolean>
  /** canonical(5) and virtual(5): a local part that needs quotes is looked up with them only. */
  readonly onlyQuoted?: boolean
}

/** As LookupResult; `extension` is what the matching key left out, with its delimiter: `+ext`, else ''. */
export type AddressResult =
  | { readonly kind: 'found'; readonly value: string; readonly extension: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'tryAgain'; readonly reason: string }

interface AddressKey {
  readonly key: string
  /** Only for tables without patterns. */
  readonly isPart: boolean
  readonly extension: string
}

const NOT_FOUND: AddressResult = { kind: 'absent' }

export class MapList {
  /** The parameter, for messages. */
  readonly title: string
  readonly tables: readonly LookupTable[]
  readonly #fixed: readonly LookupTable[]

  constructor(title: string, tables: readonly LookupTable[]) {
    this.title = title
    this.tables = tables
    this.#fixed = tables.filter((table) => !table.isPattern)
  }

  /**
   * @param title the parameter that the list comes from
   * @param text tables, separated by blanks or commas
   * @throws {ConfigError} an item is no table reference
   */
  static open(title: string, text: string, context: TableContext): MapList {
    return new MapList(
      title,
      splitList(text).map((item) => openTable(item, context)),
    )
  }

  get isEmpty(): boolean {
    return this.tables.length === 0
  }

  /** Looks up one key as it is. */
  find(key: string): MaybePromise<LookupResult> {
    return this.#search(this.tables, key)
  }

  /** Looks up a part of something larger (a parent domain, a local part): not in tables of patterns. */
  findPart(key: string): MaybePromise<LookupResult> {
    return this.#search(this.#fixed, key)
  }

  /** Looks up an address in internal form. */
  findAddress(address: string, rules: AddressRules): MaybePromise<AddressResult> {
    if (this.tables.length === 0) return NOT_FOUND
    const { local, domain } = splitAddress(address)
    const split = splitExtension(local, rules.extensions)
    const extension = split ? split.delimiter + split.extension : ''
    const triesBare = rules.onlyQuoted !== true
    const keys: AddressKey[] = [{ key: address, isPart: false, extension: '' }]
    if (domain === undefined) {
      if (split) keys.push({ key: split.user, isPart: true, extension })
      return this.#findKeys(keys, triesBare)
    }
    if (split) keys.push({ key: `${split.user}@${domain}`, isPart: true, extension })
    if (this.#fixed.length === 0) return this.#findKeys(keys, triesBare)
    return andThen(this.#findKeys(keys, triesBare), (answer): MaybePromise<AddressResult> => {
      if (answer.kind !== 'absent') return answer
      return andThen(
        rules.isLocalDomain?.(domain) ?? false,
        (isLocal): MaybePromise<AddressResult> => {
          const parts: AddressKey[] = []
          if (isLocal) parts.push({ key: local, isPart: true, extension: '' })
          if (isLocal && split) parts.push({ key: split.user, isPart: true, extension })
          parts.push({ key: `@${domain}`, isPart: true, extension: '' })
          return this.#findKeys(parts, triesBare)
        },
      )
    })
  }

  #findKeys(
    keys: readonly AddressKey[],
    triesBare: boolean,
    from = 0,
  ): MaybePromise<AddressResult> {
    for (let at = from; at < keys.length; at++) {
      const one = keys[at]
      if (one === undefined) break
      const answer = this.#findQuoted(one, triesBare)
      if (answer instanceof Promise) {
        return answer.then(async (result) => {
          return result.kind === 'absent'
            ? this.#findKeys(keys, triesBare, at + 1)
            : withExtension(result, one)
        })
      }
      if (answer.kind !== 'absent') return withExtension(answer, one)
    }
    return NOT_FOUND
  }

  #findQuoted({ key, isPart }: AddressKey, triesBare: boolean): MaybePromise<LookupResult> {
    const tables = isPart ? this.#fixed : this.tables
    const quoted = needsNoQuotes.test(key) ? key : quoteKey(key)
    if (quoted === key) return this.#search(tables, key)
    return andThen(this.#search(tables, quoted), (answer): MaybePromise<LookupResult> =>
      answer.kind === 'absent' && triesBare ? this.#search(tables, key) : answer,
    )
  }

  #search(tables: readonly LookupTable[], key: string): MaybePromise<LookupResult> {
    return firstAnswer(tables, (table): MaybePromise<LookupResult> =>
      andThen(table.find(key), (answer) => this.#checked(answer, table, key)),
    )
  }

  /** An empty value is a mistake in the table, and no answer. */
  #checked(answer: LookupResult, table: LookupTable, key: string): LookupResult {
    if (answer.kind === 'tryAgain') {
      log.warning(`${table.name} lookup error for "${key}"`)
      return answer
    }
    if (answer.kind !== 'found' || answer.value !== '') return answer
    log.warning(`${this.title} lookup of ${key} returns an empty string result`)
    log.warning(`${this.title} should return NO RESULT in case of NOT FOUND`)
    return tryAgain(`${table.name}: empty result for "${key}"`)
  }
}

const needsNoQuotes = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~@-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~@-]+)*$/

/** `@domain` has no local part to quote. */
function quoteKey(key: string): string {
  return key.startsWith('@') ? key : quoteAddress(key)
}

function withExtension(
  result: Exclude<LookupResult, { kind: 'absent' }>,
  key: AddressKey,
): AddressResult {
  return result.kind === 'found' ? { ...result, extension: key.extension } : result
}
