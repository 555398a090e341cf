/**
 * delivery-context - what all deliveries of a process share: parameters, services, tables
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { MapList } from '@posthorn/tables/map-list'
import { DomainList } from '@posthorn/tables/match-list'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import { DeliveryRecords } from './delivery-records.ts'
import { StatusFilter } from './status-filter.ts'
import type { StatusLineFormat } from './status-line.ts'

export interface DeliveryContext {
  layout: QueueLayout
  records: Pick<DeliveryRecords, 'append' | 'updateVerify' | 'addToFlush'>
  lineFormat: StatusLineFormat
  /** soft_bounce: what would bounce is deferred. */
  isSoftBounce: boolean
  /** address_verify_negative_cache */
  cachesNegativeProbes: boolean
  /** fast_flush_domains: is deferred mail for this domain to be remembered by flush(8)? */
  isFlushDomain: (domain: string) => Promise<boolean>
  /** Absent when none is configured. */
  statusFilter: StatusFilter | undefined
}

/** The parameter that names an agent's status filter. */
export type StatusFilterParameter =
  | 'default_delivery_status_filter'
  | 'local_delivery_status_filter'
  | 'lmtp_delivery_status_filter'
  | 'pipe_delivery_status_filter'
  | 'smtp_delivery_status_filter'
  | 'virtual_delivery_status_filter'

function openStatusFilter(
  config: MainConfig,
  name: StatusFilterParameter,
): StatusFilter | undefined {
  const maps = MapList.open(name, config.text(name), { config })
  return maps.isEmpty ? undefined : new StatusFilter(name, async (key) => maps.find(key))
}

function flushTest(config: MainConfig): DeliveryContext['isFlushDomain'] {
  const name = 'fast_flush_domains'
  const list = DomainList.open(name, config.text(name), { config })
  return async (domain) => {
    try {
      return await list.matches(domain)
    } catch (error) {
      if (!(error instanceof TableUnavailableError)) throw error
      return false // flush(8) refreshes what it was not told
    }
  }
}

/**
 * Opens tables: call it before privileges are dropped.
 *
 * @throws {ConfigError} a parameter cannot be used
 */
export function createDeliveryContext(
  config: MainConfig,
  statusFilter: StatusFilterParameter = 'default_delivery_status_filter',
): DeliveryContext {
  return {
    layout: QueueLayout.fromConfig(config),
    records: new DeliveryRecords({
      bouncePath: `private/${config.text('bounce_service_name')}`,
      deferPath: `private/${config.text('defer_service_name')}`,
      tracePath: `private/${config.text('trace_service_name')}`,
      verifyPath: `private/${config.text('address_verify_service_name')}`,
      flushPath: `public/${config.text('flush_service_name')}`,
      timeoutMs: config.seconds('ipc_timeout') * 1000,
      idleMs: config.seconds('ipc_idle') * 1000,
      ttlMs: config.seconds('ipc_ttl') * 1000,
    }),
    lineFormat: {
      delayDigits: config.integer('delay_logging_resolution_limit'),
      addresses: config.text('info_log_address_format'),
    },
    isSoftBounce: config.boolean('soft_bounce'),
    cachesNegativeProbes: config.boolean('address_verify_negative_cache'),
    isFlushDomain: flushTest(config),
    statusFilter: openStatusFilter(config, statusFilter),
  }
}
