/**
 * routes - transports, relay hosts and the tables that override them, for mail or for address probes
 *
 * Probes may take other routes than mail: each parameter has a counterpart address_verify_….
 * Source: Postfix 3.7 trivial-rewrite(8), ADDRESS_VERIFICATION_README.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { MapList } from '@posthorn/tables/map-list'

export interface Route {
  readonly transport: string
  /** Empty: to be decided by relay host or recipient domain. */
  readonly nexthop: string
}

export interface Routes {
  readonly local: Route
  readonly virtualMailbox: Route
  readonly relay: Route
  readonly default: Route
  readonly relayHost: string
  readonly transportMaps: MapList
  readonly senderRelayHosts: MapList
  readonly senderTransports: MapList
  readonly relocatedMaps: MapList
  /** All tables, for the check whether one has changed. */
  readonly tables: readonly LookupTable[]
}

/** Splits `transport:nexthop`; without a colon it is a transport. */
export function parseRoute(value: string): Route {
  const colon = value.indexOf(':')
  if (colon < 0) return { transport: value.trim(), nexthop: '' }
  return { transport: value.slice(0, colon).trim(), nexthop: value.slice(colon + 1).trim() }
}

const PARAMETERS = {
  mail: {
    local: 'local_transport',
    virtual: 'virtual_transport',
    relay: 'relay_transport',
    default: 'default_transport',
    relayHost: 'relayhost',
    transportMaps: 'transport_maps',
    senderRelayHosts: 'sender_dependent_relayhost_maps',
    senderTransports: 'sender_dependent_default_transport_maps',
  },
  probe: {
    local: 'address_verify_local_transport',
    virtual: 'address_verify_virtual_transport',
    relay: 'address_verify_relay_transport',
    default: 'address_verify_default_transport',
    relayHost: 'address_verify_relayhost',
    transportMaps: 'address_verify_transport_maps',
    senderRelayHosts: 'address_verify_sender_dependent_relayhost_maps',
    senderTransports: 'address_verify_sender_dependent_default_transport_maps',
  },
} as const

/** @throws {ConfigError} a table reference makes no sense */
export function openRoutes(config: MainConfig, purpose: keyof typeof PARAMETERS): Routes {
  const names = PARAMETERS[purpose]
  // What a sender or recipient writes must not become part of a transport or next-hop.
  const context = { config, forbidsSubstitution: true }
  const maps = (name: Parameters<MainConfig['text']>[0]): MapList =>
    MapList.open(name, config.text(name), context)
  const transportMaps = maps(names.transportMaps)
  const senderRelayHosts = maps(names.senderRelayHosts)
  const senderTransports = maps(names.senderTransports)
  const relocatedMaps = MapList.open('relocated_maps', config.text('relocated_maps'), { config })
  return {
    local: parseRoute(config.text(names.local)),
    virtualMailbox: parseRoute(config.text(names.virtual)),
    relay: parseRoute(config.text(names.relay)),
    default: parseRoute(config.text(names.default)),
    relayHost: config.text(names.relayHost),
    transportMaps,
    senderRelayHosts,
    senderTransports,
    relocatedMaps,
    tables: [transportMaps, senderRelayHosts, senderTransports, relocatedMaps].flatMap(
      ({ tables }) => tables,
    ),
  }
}
