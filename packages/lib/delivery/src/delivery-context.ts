/**
 * delivery-context - what all deliveries of a process share: parameters, services, tables
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { DeliveryRecords } from './delivery-records.ts'
import type { StatusFilter } from './status-filter.ts'
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

/** What `createDeliveryContext` cannot find out by itself; tables are the caller's to open and watch. */
export interface DeliveryTables {
  isFlushDomain?: (domain: string) => Promise<boolean>
  statusFilter?: StatusFilter | undefined
}

export function createDeliveryContext(
  config: MainConfig,
  tables: DeliveryTables = {},
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
    isFlushDomain: tables.isFlushDomain ?? (() => Promise.resolve(false)),
    statusFilter: tables.statusFilter,
  }
}
