/**
 * scache - scache(8) as the skeleton sees it
 */
import { fatal } from '@posthorn/log/log'
import type { ServiceDefinition } from '@posthorn/daemon/service'
import { ScacheService } from './scache-service.ts'

export const scache: ServiceDefinition = {
  program: 'scache',
  kind: 'multi',
  requires: ['alone'],
  usesLimit: 'off',
  start({ args, config }) {
    if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
    return new ScacheService({
      ttlLimitSeconds: config.seconds('connection_cache_ttl_limit'),
      statusUpdateSeconds: config.seconds('connection_cache_status_update_time'),
    })
  },
}
