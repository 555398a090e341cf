/**
 * address-resolver - from an envelope address to transport, next-hop, recipient and address class
 *
 * First the address: routing that was written into the local part of one of our own addresses is taken up, so
 * that user%remote@here is judged as user@remote (relay control depends on it). Then the route: the class of the
 * domain names a transport; transport_maps override it; relocated_maps override everything.
 *
 * When a table cannot be asked the reply carries the `fail` flag, and the client tries again later.
 * Source: Postfix 3.7 trivial-rewrite(8), transport(5), relocated(5); resolve.ref has what the real one answers.
 */
import {
  isValidAddressLiteral,
  isValidHostname,
  isValidUtf8Hostname,
} from '@posthorn/address/hostname'
import { splitAddress, type ExtensionRules } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import { RESOLVE_FLAGS, type ResolveReply } from '@posthorn/wire/rewrite-protocol'
import { findTransport } from './find-transport.ts'
import { parseRoute, type Route, type Routes } from './routes.ts'
import { hasRouting, splitBangPath, splitPercentHack, stripSourceRoute } from './routing-syntax.ts'
import type { AddressClass, Sites } from './sites.ts'

const CLASS_FLAGS: Readonly<Record<AddressClass, number>> = {
  local: RESOLVE_FLAGS.classLocal,
  virtualAlias: RESOLVE_FLAGS.classVirtualAlias,
  virtualMailbox: RESOLVE_FLAGS.classVirtualMailbox,
  relay: RESOLVE_FLAGS.classRelay,
  default: RESOLVE_FLAGS.classDefault,
}

/** What an address means, before anybody has decided where it goes. */
interface Destination {
  readonly local: string
  readonly domain: string
}

const dottedNumbers = /^\d+(?:\.\d+){3}$/

export class AddressResolver {
  readonly #sites: Sites
  readonly #routes: Routes
  readonly #myHostname: string
  readonly #emptyRecipient: string
  readonly #looksInsideQuotes: boolean
  readonly #swapsBangPath: boolean
  readonly #allowsPercentHack: boolean
  readonly #resolvesNullDomain: boolean
  readonly #resolvesNumericDomain: boolean
  readonly #allowsMinusUser: boolean
  readonly #allowsUtf8: boolean
  readonly #showsTableName: boolean
  readonly #emptySenderKeys: { readonly relayHost: string; readonly transport: string }
  readonly #extensions: ExtensionRules

  constructor(config: MainConfig, sites: Sites, routes: Routes) {
    this.#sites = sites
    this.#routes = routes
    this.#myHostname = config.text('myhostname')
    this.#emptyRecipient = config.text('empty_address_recipient')
    this.#looksInsideQuotes = config.boolean('resolve_dequoted_address')
    this.#swapsBangPath = config.boolean('swap_bangpath')
    this.#allowsPercentHack = config.boolean('allow_percent_hack')
    this.#resolvesNullDomain = config.boolean('resolve_null_domain')
    this.#resolvesNumericDomain = config.boolean('resolve_numeric_domain')
    this.#allowsMinusUser = config.boolean('allow_min_user')
    this.#allowsUtf8 = config.boolean('smtputf8_enable')
    this.#showsTableName = config.boolean('show_user_unknown_table_name')
    this.#emptySenderKeys = {
      relayHost: config.text('empty_address_relayhost_maps_lookup_key'),
      transport: config.text('empty_address_default_transport_maps_lookup_key'),
    }
    this.#extensions = {
      delimiters: config.text('recipient_delimiter'),
      isOwnerRequestSpecial: config.boolean('owner_request_special'),
      doubleBounce: config.text('double_bounce_sender'),
    }
  }

  /** @param address internal form; so is the recipient of the reply */
  async resolve(sender: string, address: string): Promise<ResolveReply> {
    let destination: Destination = splitDestination(address, this.#myHostname)
    try {
      destination = await this.#interpret(address)
      return await this.#route(sender, destination)
    } catch (error) {
      if (!(error instanceof TableUnavailableError)) throw error
      // nobody knows whose domain it is, so nothing may be concluded from the class
      const { transport, nexthop } = this.#routes.default
      return {
        transport,
        nexthop: nexthop || destination.domain,
        recipient: joinAddress(destination),
        flags: RESOLVE_FLAGS.classDefault | RESOLVE_FLAGS.fail,
      }
    }
  }

  /** Follows routing in local parts of our own domains until somebody else's domain, or a plain name, is left. */
  async #interpret(address: string): Promise<Destination> {
    let rest = address
    for (;;) {
      const at = rest.lastIndexOf('@')
      let local = at < 0 ? rest : rest.slice(0, at)
      let domain = at < 0 ? undefined : rest.slice(at + 1)
      if (domain === undefined) {
        const rerouted = this.#takeRouting(local)
        if (rerouted !== undefined) ({ local, domain } = rerouted)
      }
      if (domain?.endsWith('.') === true) domain = domain.slice(0, -1)
      if (domain === '' && this.#resolvesNullDomain) domain = this.#myHostname
      const isOurs = domain === undefined || domain === '' || (await this.#sites.isLocal(domain))
      // each turn the rest gets shorter, so this ends
      if (isOurs && this.#goesFurther(local)) {
        rest = stripSourceRoute(local)
        continue
      }
      return {
        local: local === '' && isOurs ? this.#emptyRecipient : local,
        domain: this.#bracketed(domain ?? this.#myHostname),
      }
    }
  }

  #takeRouting(local: string): { local: string; domain: string } | undefined {
    if (!this.#looksInsideQuotes) return undefined
    return (
      (this.#swapsBangPath ? splitBangPath(local) : undefined) ??
      (this.#allowsPercentHack ? splitPercentHack(local) : undefined)
    )
  }

  #goesFurther(local: string): boolean {
    if (!this.#looksInsideQuotes) return false
    return local.includes('@') || this.#takeRouting(local) !== undefined
  }

  #bracketed(domain: string): string {
    return this.#resolvesNumericDomain && dottedNumbers.test(domain) ? `[${domain}]` : domain
  }

  async #route(sender: string, destination: Destination): Promise<ResolveReply> {
    const { local, domain } = destination
    const recipient = joinAddress(destination)
    let flags = hasRouting(local) ? RESOLVE_FLAGS.routed : 0
    if (local.startsWith('-') && !this.#allowsMinusUser) flags |= RESOLVE_FLAGS.error
    if (!this.#isValidDomain(domain)) {
      flags |= RESOLVE_FLAGS.classDefault | RESOLVE_FLAGS.error
      return { transport: 'error', nexthop: '5.1.3 bad address syntax', recipient, flags }
    }
    const addressClass = await this.#sites.classOf(domain)
    flags |= CLASS_FLAGS[addressClass]
    if (addressClass === 'virtualAlias') {
      const table = this.#showsTableName ? ' in virtual alias table' : ''
      return { transport: 'error', nexthop: `5.1.1 User unknown${table}`, recipient, flags }
    }
    let route = await this.#classRoute(addressClass, sender, domain)
    const override = await findTransport(this.#routes.transportMaps, recipient, this.#extensions)
    if (override.kind === 'tryAgain') {
      flags |= RESOLVE_FLAGS.fail
    } else if (override.kind === 'found') {
      route = overrideRoute(route, parseRoute(override.value), domain)
    }
    const moved = await this.#routes.relocatedMaps.findAddress(recipient, {
      extensions: this.#extensions,
      isLocalDomain: this.#sites.isLocal,
    })
    if (moved.kind === 'tryAgain') flags |= RESOLVE_FLAGS.fail
    if (moved.kind === 'found') {
      route = { transport: 'error', nexthop: `5.1.6 User has moved to ${moved.value}` }
    }
    return { ...route, recipient, flags }
  }

  #isValidDomain(domain: string): boolean {
    if (domain.startsWith('[')) return isValidAddressLiteral(domain)
    return this.#allowsUtf8 ? isValidUtf8Hostname(domain) : isValidHostname(domain)
  }

  /** The route of an address class, before transport_maps. */
  async #classRoute(
    addressClass: Exclude<AddressClass, 'virtualAlias'>,
    sender: string,
    domain: string,
  ): Promise<Route> {
    if (addressClass === 'local' || addressClass === 'virtualMailbox') {
      const { transport, nexthop } = this.#routes[addressClass]
      return { transport, nexthop: nexthop || domain }
    }
    let { transport, nexthop } = this.#routes[addressClass]
    if (addressClass === 'default') {
      const key = this.#emptySenderKeys.transport
      const own = await this.#senderRoute(this.#routes.senderTransports, sender, key)
      if (own !== undefined) {
        const parsed = parseRoute(own)
        transport = parsed.transport || transport
        nexthop = parsed.nexthop || (parsed.transport === '' ? nexthop : '')
      }
    }
    if (nexthop !== '') return { transport, nexthop }
    const key = this.#emptySenderKeys.relayHost
    const relayHost = await this.#senderRoute(this.#routes.senderRelayHosts, sender, key)
    return { transport, nexthop: relayHost ?? (this.#routes.relayHost || domain) }
  }

  /** What a sender-dependent table says; DUNNO is no answer. */
  async #senderRoute(
    maps: Routes['senderRelayHosts'],
    sender: string,
    emptyKey: string,
  ): Promise<string | undefined> {
    if (maps.isEmpty) return undefined
    const answer =
      sender === ''
        ? await maps.find(emptyKey)
        : await maps.findAddress(sender, { extensions: this.#extensions })
    if (answer.kind === 'tryAgain') throw new TableUnavailableError(answer.reason)
    if (answer.kind === 'absent' || /^dunno$/i.test(answer.value)) return undefined
    return answer.value
  }
}

function splitDestination(address: string, myHostname: string): Destination {
  const { local, domain } = splitAddress(address)
  return { local, domain: domain ?? myHostname }
}

function joinAddress({ local, domain }: Destination): string {
  return `${local}@${domain}`
}

/** transport(5): an empty transport keeps what was decided; a transport without next-hop means the domain. */
function overrideRoute(route: Route, found: Route, domain: string): Route {
  if (found.transport === '') {
    return { transport: route.transport, nexthop: found.nexthop || route.nexthop }
  }
  const fallback = found.transport === 'error' ? 'Address is undeliverable' : domain
  return { transport: found.transport, nexthop: found.nexthop || fallback }
}
