/**
 * smtp-client - what all deliveries of this process share
 */
import type { AddressLookup } from './address-lookup.ts'
import type { Authenticator } from './authenticate.ts'
import type { ClientOptions } from './client-options.ts'
import type { CheckTables } from '@posthorn/message/content-checks'
import type { IsDebugPeer } from './debug-peers.ts'
import type { DnsReplyFilter } from './dns-reply-filter.ts'
import type { GenericMaps } from './generic-maps.ts'
import type { HeaderFlags } from './content.ts'
import type { ServerTables } from './greeting.ts'
import type { OwnAddresses } from '@posthorn/address/own-addresses'
import type { PostmasterNotices } from './postmaster-notice.ts'
import type { RequireTlsPolicy } from './require-tls.ts'
import type { SessionCache } from './session-cache.ts'
import type { TlsClient } from './start-tls.ts'
import type { FindTlsLogLevel } from './tls-log-levels.ts'

export interface SmtpClient {
  options: ClientOptions
  lookup: AddressLookup
  own: OwnAddresses
  cache: SessionCache
  headers: HeaderFlags
  tables: ClientTables
  /** Absent: no destination can have TLS. */
  tls: TlsClient | undefined
  /** Absent: smtp_sasl_auth_enable = no. */
  sasl: Authenticator | undefined
  /** Absent: the postmaster wants none. */
  notices: PostmasterNotices | undefined
}

/** Lookups that parameters ask for; absent ones are not configured. */
export interface ClientTables extends ServerTables {
  /** debug_peer_list */
  isDebugPeer?: IsDebugPeer | undefined
  /** smtp_connection_cache_destinations */
  isCachedDestination?: ((name: string) => Promise<boolean>) | undefined
  /** smtp_requiretls_policy; absent: requiretls_enable = no */
  requireTls?: RequireTlsPolicy | undefined
  /** smtp_tls_loglevel_maps */
  findTlsLogLevel?: FindTlsLogLevel | undefined
  /** smtp_generic_maps */
  generic?: GenericMaps | undefined
  /** smtp_header_checks, smtp_mime_header_checks, smtp_nested_header_checks, smtp_body_checks */
  checks?: CheckTables | undefined
  /** smtp_dns_reply_filter */
  dnsFilter?: DnsReplyFilter | undefined
  /** smtp_reply_filter. @throws {LocalDataError} */
  filterReply?: ((line: string) => Promise<string | undefined>) | undefined
}
