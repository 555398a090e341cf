/**
 * smtp-client - what all deliveries of this process share
 */
import type { AddressLookup } from './address-lookup.ts'
import type { ClientOptions } from './client-options.ts'
import type { CheckTables } from '@posthorn/message/content-checks'
import type { DnsReplyFilter } from './dns-reply-filter.ts'
import type { GenericMaps } from './generic-maps.ts'
import type { HeaderFlags } from './content.ts'
import type { ServerTables } from './greeting.ts'
import type { OwnAddresses } from '@posthorn/address/own-addresses'
import type { PostmasterNotices } from './postmaster-notice.ts'
import type { SessionCache } from './session-cache.ts'

export interface SmtpClient {
  options: ClientOptions
  lookup: AddressLookup
  own: OwnAddresses
  cache: SessionCache
  headers: HeaderFlags
  tables: ClientTables
  /** Absent: the postmaster wants none. */
  notices: PostmasterNotices | undefined
}

/** Lookups that parameters ask for; absent ones are not configured. */
export interface ClientTables extends ServerTables {
  /** smtp_connection_cache_destinations */
  isCachedDestination?: ((name: string) => Promise<boolean>) | undefined
  /** smtp_tls_policy_maps, by next-hop. @throws {LocalDataError} */
  findTlsPolicy?: ((nexthop: string) => Promise<string | undefined>) | undefined
  /** smtp_sasl_password_maps, by host or next-hop. @throws {LocalDataError} */
  findPassword?: ((key: string) => Promise<string | undefined>) | undefined
  /** smtp_generic_maps */
  generic?: GenericMaps | undefined
  /** smtp_header_checks, smtp_mime_header_checks, smtp_nested_header_checks, smtp_body_checks */
  checks?: CheckTables | undefined
  /** smtp_dns_reply_filter */
  dnsFilter?: DnsReplyFilter | undefined
  /** smtp_reply_filter. @throws {LocalDataError} */
  filterReply?: ((line: string) => Promise<string | undefined>) | undefined
}
