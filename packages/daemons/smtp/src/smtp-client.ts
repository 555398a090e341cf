/**
 * smtp-client - what all deliveries of this process share
 */
import type { AddressLookup } from './address-lookup.ts'
import type { ClientOptions } from './client-options.ts'
import type { HeaderFlags } from './content.ts'
import type { ServerTables } from './greeting.ts'
import type { OwnAddresses } from '@posthorn/address/own-addresses'
import type { SessionCache } from './session-cache.ts'

export interface SmtpClient {
  options: ClientOptions
  lookup: AddressLookup
  own: OwnAddresses
  cache: SessionCache
  headers: HeaderFlags
  tables: ClientTables
}

/** Lookups that parameters ask for; absent ones are not configured. */
export interface ClientTables extends ServerTables {
  /** smtp_connection_cache_destinations */
  isCachedDestination?: ((name: string) => Promise<boolean>) | undefined
  /** smtp_tls_policy_maps, by next-hop. @throws {LocalDataError} */
  findTlsPolicy?: ((nexthop: string) => Promise<string | undefined>) | undefined
  /** smtp_sasl_password_maps, by host or next-hop. @throws {LocalDataError} */
  findPassword?: ((key: string) => Promise<string | undefined>) | undefined
  /** smtp_reply_filter. @throws {LocalDataError} */
  filterReply?: ((line: string) => Promise<string>) | undefined
}
