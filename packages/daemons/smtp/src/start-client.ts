/**
 * start-client - puts the SMTP or LMTP client together from its parameters
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { lookupNative } from '@posthorn/dns/native-lookup'
import { Resolver } from '@posthorn/dns/resolver'
import { ScacheClient } from '@posthorn/wire/scache-protocol'
import { AddressLookup } from './address-lookup.ts'
import type { Authenticator } from './authenticate.ts'
import type { HeaderFlags } from './content.ts'
import { DnssecProbe } from './dnssec-probe.ts'
import { readClientOptions, type Protocol } from './client-options.ts'
import { parseHeaderFlags } from './header-flags.ts'
import { IdleSessions } from './idle-sessions.ts'
import { findOwnAddresses, type OwnAddresses } from '@posthorn/address/own-addresses'
import { PostmasterNotices } from './postmaster-notice.ts'
import { SessionCache } from './session-cache.ts'
import { probe } from './session-end.ts'
import { TlsReports } from './tls-reports.ts'
import type { OpenedTls } from './open-security.ts'
import type { ClientTables, SmtpClient } from './smtp-client.ts'

/** Idle connections that one process keeps; more go to scache(8). */
const IDLE_LIMIT = 100

export interface ClientStart {
  config: MainConfig
  protocol: Protocol
  serviceName: string
  args: readonly string[]
  /** Deliveries at once. With one at a time connections are kept in scache(8) only, as Postfix does. */
  concurrency: number
  tables: ClientTables
  /** Opened with master's privileges; absent: no destination can have TLS. */
  tls?: OpenedTls | undefined
  /** Likewise; absent: smtp_sasl_auth_enable = no. */
  sasl?: Authenticator | undefined
}

export async function ownAddresses(config: MainConfig): Promise<OwnAddresses> {
  return findOwnAddresses(
    config.list('inet_interfaces'),
    config.list('proxy_interfaces'),
    async (name) => {
      const found = await lookupNative(name)
      return found.kind === 'found' ? found.addresses : []
    },
  )
}

function headerFlags({ args, config, protocol }: ClientStart): HeaderFlags {
  const flags = parseHeaderFlags(args)
  if (protocol === 'lmtp' && config.boolean('lmtp_assume_final')) {
    log.warning('lmtp_assume_final is obsolete; instead, specify "flags=X" in master.cf')
    flags.isFinal = true
  }
  return flags
}

/** @throws {ConfigError | RangeError | ArgumentError} the configuration cannot be used */
export async function startClient(start: ClientStart): Promise<SmtpClient> {
  const { config, protocol, serviceName, tables } = start
  const options = readClientOptions(config, protocol, serviceName)
  const usesCache =
    options.cachesOnDemand || config.text(`${protocol}_connection_cache_destinations`) !== ''
  const ttlMs =
    Math.min(options.cacheTtlSeconds, config.seconds('connection_cache_ttl_limit')) * 1000
  const scache = usesCache
    ? new ScacheClient({
        path: `private/${config.text('connection_cache_service_name')}`,
        timeoutMs: config.seconds('connection_cache_protocol_timeout') * 1000,
        idleMs: config.seconds('ipc_idle') * 1000,
        ttlMs: config.seconds('ipc_ttl') * 1000,
      })
    : undefined
  const keepsOwn = usesCache && start.concurrency > 1
  const resolver = Resolver.fromConfig({ nameservers: config.text('dns_nameservers') })
  return {
    options,
    tables,
    sasl: start.sasl,
    tls: start.tls && {
      ...start.tls,
      proxyPath: `private/${config.text('tlsproxy_service_name')}`,
      keepsOwn,
      probe: new DnssecProbe(resolver, start.tls.options.dnssecProbe),
      reports: TlsReports.fromConfig(config, protocol, resolver),
    },
    notices: PostmasterNotices.fromConfig(config, protocol),
    headers: headerFlags(start),
    lookup: new AddressLookup(resolver, options, tables.dnsFilter),
    own: await ownAddresses(config),
    cache: new SessionCache({
      labels: options.labels,
      ttlSeconds: options.cacheTtlSeconds,
      scache,
      idle: keepsOwn ? new IdleSessions(IDLE_LIMIT, ttlMs) : undefined,
      logsTls: start.tls?.options.logsSummary === true,
      probe: async (session) => probe(session, options),
    }),
  }
}
