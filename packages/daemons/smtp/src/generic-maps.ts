/**
 * generic-maps - smtp_generic_maps: addresses that mean something here only become addresses that the world knows
 *
 * Applied to envelope addresses and to those in the primary headers. Looked up as in generic(5): `user+ext@domain`,
 * `user@domain`, for domains of ours `user+ext` and `user`, then `@domain`. A result `@other` keeps the local part, an extension
 * that did not match is put back where propagate_unmatched_extensions says so, and a result that is not complete is
 * completed by trivial-rewrite(8).
 * Source: Postfix 3.7 generic(5).
 */
import { formatAddressList, parseAddressList } from '@posthorn/address/address-list'
import type { OwnAddresses } from '@posthorn/address/own-addresses'
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import { splitAddress } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { foldHeader, splitHeaderLine } from '@posthorn/message/header-line'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { MapList, type AddressRules } from '@posthorn/tables/map-list'
import { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { ServiceError } from '@posthorn/wire/wire-error'
import { readAddressRules } from './address-rules.ts'
import type { Protocol } from './client-options.ts'
import { LocalDataError } from './session.ts'

export class GenericMaps {
  readonly #maps: MapList
  readonly #rules: AddressRules
  readonly #keepsExtension: boolean
  readonly #tokenLimit: number
  readonly #rewriter: RewriteClient

  private constructor(maps: MapList, config: MainConfig, own: Promise<OwnAddresses>) {
    this.#maps = maps
    this.#keepsExtension = config.list('propagate_unmatched_extensions').includes('generic')
    this.#tokenLimit = config.integer('header_address_token_limit')
    this.#rewriter = new RewriteClient({
      path: `private/${config.text('rewrite_service_name')}`,
      timeoutMs: config.seconds('ipc_timeout') * 1000,
      idleMs: config.seconds('ipc_idle') * 1000,
      ttlMs: config.seconds('ipc_ttl') * 1000,
    })
    this.#rules = readAddressRules(config, own)
  }

  /** Undefined: the parameter is empty. @throws {ConfigError} it names no table */
  static open(
    config: MainConfig,
    protocol: Protocol,
    own: () => Promise<OwnAddresses>,
  ): GenericMaps | undefined {
    const name = `${protocol}_generic_maps` as const
    const maps = MapList.open(name, config.text(name), { config })
    return maps.isEmpty ? undefined : new GenericMaps(maps, config, own())
  }

  get tables(): readonly LookupTable[] {
    return this.#maps.tables
  }

  /** An address in internal form; the null address has no other name. @throws {LocalDataError} */
  async map(address: string): Promise<string> {
    if (address === '') return ''
    const answer = await this.#maps.findAddress(address, this.#rules)
    if (answer.kind === 'absent') return address
    const trouble = `${this.#maps.title} map lookup problem for ${address}`
    if (answer.kind === 'tryAgain') throw new LocalDataError(trouble)
    const [first, ...others] = parseAddressList(answer.value).flatMap((node) =>
      node.kind === 'address' ? [node.text] : [],
    )
    if (others.length > 0) {
      log.warning(`multi-valued ${this.#maps.title} result for ${address}`)
    }
    if (first === undefined || first === '') return address
    const { local } = splitAddress(address)
    const result = first.startsWith('@') ? local + first : unquoteAddress(first)
    return this.#complete(this.#extended(result, answer.extension), trouble)
  }

  /** A primary header, lines separated by LF; as it is when no address in it changes. @throws {LocalDataError} */
  async mapHeader(text: string): Promise<string> {
    const header = splitHeaderLine(text)
    if (header === undefined) return text
    const nodes = parseAddressList(header.value, this.#tokenLimit)
    let isChanged = false
    for (const [at, node] of nodes.entries()) {
      if (node.kind !== 'address' || node.text === '') continue
      const internal = unquoteAddress(node.text)
      const mapped = await this.map(internal)
      if (mapped === internal) continue
      nodes[at] = { kind: 'address', text: quoteAddress(mapped) }
      isChanged = true
    }
    return isChanged ? foldHeader(header.name, formatAddressList(nodes)) : text
  }

  #extended(address: string, extension: string): string {
    if (!this.#keepsExtension || extension === '') return address
    const { local, domain } = splitAddress(address)
    return domain === undefined ? local + extension : `${local}${extension}@${domain}`
  }

  async #complete(address: string, trouble: string): Promise<string> {
    try {
      return unquoteAddress(await this.#rewriter.rewrite('local', quoteAddress(address)))
    } catch (error) {
      if (error instanceof ServiceError) throw new LocalDataError(trouble, { cause: error })
      throw error
    }
  }
}
