/**
 * proxymap - proxymap(8) as the skeleton sees it: the services proxymap and proxywrite
 */
import type { ServiceContext, ServiceDefinition } from '@posthorn/daemon/service'
import { fatal } from '@posthorn/log/log'
import { startSession } from '@posthorn/native/user'
import { CacheTable } from '@posthorn/tables/cache-table'
import { openTable } from '@posthorn/tables/open-table'
import { ApprovedTables } from './approved-tables.ts'
import { ProxymapService } from './proxymap-service.ts'

function isWriter({ config, serviceName }: ServiceContext): boolean {
  switch (serviceName) {
    case config.text('proxymap_service_name'):
      return false
    case config.text('proxywrite_service_name'):
      return true
    default:
      return fatal(
        `service name must be one of ${config.text('proxymap_service_name')} or ${config.text('proxywrite_service_name')}`,
      )
  }
}

export const proxymap: ServiceDefinition = {
  program: 'proxymap',
  kind: 'multi',
  beforeJail(context) {
    // `postfix stop` must not hit a process in the middle of an update
    if (isWriter(context)) startSession()
  },
  start(context) {
    const { args, config } = context
    if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
    const writes = isWriter(context)
    const words = config.list(writes ? 'proxy_write_maps' : 'proxy_read_maps')
    const tables = new ApprovedTables(
      words,
      (table, foldsCase) =>
        (writes ? CacheTable.open(table, config, foldsCase) : undefined) ??
        openTable(table, { config, foldsCase }),
    )
    return new ProxymapService(tables, writes, (reason) => {
      context.exitWhenIdle(reason)
    })
  },
}
