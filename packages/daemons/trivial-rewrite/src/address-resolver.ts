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
import { quoteLocalPart } from '@posthorn/address/quote-address'
import { splitAddress, type SplitAddress } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import type { MaybePromise } from '@posthorn/tables/lookup-table'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import { RESOLVE_FLAGS, type ResolveReply } from '@posthorn/wire/rewrite-protocol'
import { findTransport, type TransportKeyRules } from './find-transport.ts'
import {
  readRewriteSettings,
  rewriteRouting,
  tidyDomain,
  withoutFinalDot,
  type RewriteSettings,
} from './rewrite-address.ts'
import { parseRoute, type Route, type Routes } from './routes.ts'
import { hasRouting, stripSourceRoute } from './routing-syntax.ts'
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
  readonly #rewriting: RewriteSettings
  readonly #resolvesNullDomain: boolean
  readonly #resolvesNumericDomain: boolean
  readonly #allowsMinusUser: boolean
  readonly #allowsUtf8: boolean
  readonly #showsTableName: boolean
  readonly #emptySenderKeys: { readonly relayHost: string; readonly transport: string }
  readonly #keyRules: TransportKeyRules

  constructor(config: MainConfig, sites: Sites, routes: Routes) {
    this.#sites = sites
    this.#routes = routes
    this.#myHostname = config.text('myhostname')
    this.#emptyRecipient = config.text('empty_address_recipient')
    this.#looksInsideQuotes = config.boolean('resolve_dequoted_address')
    this.#rewriting = readRewriteSettings(config)
    this.#resolvesNullDomain = config.boolean('resolve_null_domain')
    this.#resolvesNumericDomain = config.boolean('resolve_numeric_domain')
    this.#allowsMinusUser = config.boolean('allow_min_user')
    this.#allowsUtf8 = config.boolean('smtputf8_enable')
    this.#showsTableName = config.boolean('show_user_unknown_table_name')
    this.#emptySenderKeys = {
      relayHost: config.text('empty_address_relayhost_maps_lookup_key'),
      transport: config.text('empty_address_default_transport_maps_lookup_key'),
    }
    this.#keyRules = {
      extensions: {
        delimiters: config.text('recipient_delimiter'),
        isOwnerRequestSpecial: config.boolean('owner_request_special'),
        doubleBounce: config.text('double_bounce_sender'),
      },
      parentsMatch: config.list('parent_domain_matches_subdomains').includes('transport_maps'),
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
        flags: RESOLVE_FLAGS.fail | (hasRouting(destination.local) ? RESOLVE_FLAGS.routed : 0),
      }
    }
  }

  /** Follows routing in local parts of our own domains until somebody else's domain, or a plain name, is left. */
  async #interpret(address: string): Promise<Destination> {
    let { local, domain }: SplitAddress = splitAddress(address)
    for (;;) {
      if (domain !== undefined) domain = withoutFinalDot(tidyDomain(domain))
      const isNull = domain === ''
      if (isNull && this.#resolvesNullDomain) domain = this.#myHostname
      let isOurs: MaybePromise<boolean> = domain === undefined || domain === ''
      if (domain !== undefined && domain !== '') isOurs = this.#sites.isLocal(domain)
      if (isOurs instanceof Promise) isOurs = await isOurs
      // each turn the rest gets shorter, so this ends
      if (isOurs && this.#goesFurther(local)) {
        ;({ local, domain } = rewriteRouting(local, this.#rewriting))
        continue
      }
      return {
        local: local === '' && (isOurs || isNull) ? this.#emptyRecipient : local,
        domain: this.#bracketed(domain ?? this.#myHostname),
      }
    }
  }

  /** Without resolve_dequoted_address, what needs quotes is one name, and no route. */
  #goesFurther(local: string): boolean {
    const isOpaque = !this.#looksInsideQuotes && quoteLocalPart(local) !== local
    if (isOpaque) return stripSourceRoute(local) !== local
    if (local.includes('@')) return true
    const { swapsBangPath, allowsPercentHack } = this.#rewriting
    return (swapsBangPath && local.includes('!')) || (allowsPercentHack && local.includes('%'))
  }

  #bracketed(domain: string): string {
    return this.#resolvesNumericDomain && dottedNumbers.test(domain) ? `[${domain}]` : domain
  }

  async #route(sender: string, destination: Destination): Promise<ResolveReply> {
    const { local, domain } = destination
    const recipient = joinAddress(destination)
    let flags = hasRouting(local) ? RESOLVE_FLAGS.routed : 0
    if (!this.#isValidDomain(domain)) {
      flags |= RESOLVE_FLAGS.classDefault | RESOLVE_FLAGS.error
      return { transport: 'error', nexthop: '5.1.3 bad address syntax', recipient, flags }
    }
    const found = this.#sites.classOf(domain)
    const addressClass = found instanceof Promise ? await found : found
    flags |= CLASS_FLAGS[addressClass]
    let route: Route
    if (addressClass === 'virtualAlias') {
      // An alias would have been expanded before anybody asked for a route.
      const table = this.#showsTableName ? ' in virtual alias table' : ''
      route = { transport: 'error', nexthop: `5.1.1 User unknown${table}` }
    } else {
      const ordinary = this.#classRoute(addressClass, sender, domain)
      route = ordinary instanceof Promise ? await ordinary : ordinary
      const lookup = findTransport(this.#routes.transportMaps, recipient, this.#keyRules)
      const override = lookup instanceof Promise ? await lookup : lookup
      if (override.kind === 'tryAgain') flags |= RESOLVE_FLAGS.fail
      else if (override.kind === 'found') {
        route = overrideRoute(route, parseRoute(override.value), domain)
      }
    }
    const search = this.#routes.relocatedMaps.findAddress(recipient, {
      extensions: this.#keyRules.extensions,
      isLocalDomain: this.#sites.isLocal,
    })
    const moved = search instanceof Promise ? await search : search
    if (moved.kind === 'tryAgain') flags |= RESOLVE_FLAGS.fail
    if (moved.kind === 'found') {
      route = { transport: 'error', nexthop: `5.1.6 User has moved to ${moved.value}` }
    }
    const isRefused = local.startsWith('-') && !this.#allowsMinusUser
    if (isRefused && (flags & RESOLVE_FLAGS.fail) === 0) flags |= RESOLVE_FLAGS.error
    return { ...route, recipient, flags }
  }

  #isValidDomain(domain: string): boolean {
    if (domain.startsWith('[')) return isValidAddressLiteral(domain)
    return this.#allowsUtf8 ? isValidUtf8Hostname(domain) : isValidHostname(domain)
  }

  /** The route of an address class, before transport_maps; without a promise where no table of senders is asked. */
  #classRoute(
    addressClass: Exclude<AddressClass, 'virtualAlias'>,
    sender: string,
    domain: string,
  ): MaybePromise<Route> {
    const { transport, nexthop } = this.#routes[addressClass]
    const { senderTransports, senderRelayHosts, relayHost } = this.#routes
    switch (addressClass) {
      case 'local':
      case 'virtualMailbox':
        return { transport, nexthop: nexthop || domain }
      case 'relay':
        if (!senderRelayHosts.isEmpty)
          return this.#senderDependentRoute(addressClass, sender, domain)
        return { transport, nexthop: nexthop || relayHost || domain }
      case 'default':
        if (!senderTransports.isEmpty || !senderRelayHosts.isEmpty) {
          return this.#senderDependentRoute(addressClass, sender, domain)
        }
        return { transport, nexthop: nexthop || relayHost || domain }
    }
  }

  async #senderDependentRoute(
    addressClass: 'relay' | 'default',
    sender: string,
    domain: string,
  ): Promise<Route> {
    let { transport, nexthop } = this.#routes[addressClass]
    if (addressClass === 'default') {
      const key = this.#emptySenderKeys.transport
      const own = await this.#senderRoute(this.#routes.senderTransports, sender, key)
      if (own !== undefined) {
        const parsed = parseRoute(own)
        if (parsed.transport === '') {
          const name = this.#routes.senderTransports.title
          log.warning(`${name}: empty transport in result "${own}" for sender "${sender}"`)
          throw new TableUnavailableError(`${name}: result without transport`)
        }
        ;({ transport, nexthop } = parsed)
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
        : await maps.findAddress(sender, { extensions: this.#keyRules.extensions })
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

/** error(8) under its two names: its next-hop is a text. */
function isForFailure(transport: string): boolean {
  return transport === 'error' || transport === 'retry'
}

/** transport(5): an empty transport keeps what was decided; a transport without next-hop means the domain. */
function overrideRoute(route: Route, found: Route, domain: string): Route {
  if (found.transport === '') {
    return { transport: route.transport, nexthop: found.nexthop || route.nexthop }
  }
  const fallback = isForFailure(found.transport) ? 'Address is undeliverable' : domain
  return { transport: found.transport, nexthop: found.nexthop || fallback }
}
