/**
 * scache - scache(8) as the skeleton sees it
 */
import { fatal } from '@posthorn/log/log'
import type { ServiceDefinition } from '@posthorn/daemon/service'
import { DescriptorBudget } from './descriptor-budget.ts'
import { ScacheService } from './scache-service.ts'

let budget: DescriptorBudget | undefined

export const scache: ServiceDefinition = {
  program: 'scache',
  kind: 'multi',
  requires: ['alone'],
  usesLimit: 'off',
  beforeJail() {
    budget = DescriptorBudget.ofProcess()
  },
  start({ args, config }) {
    if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
    return new ScacheService({
      ttlLimitSeconds: config.seconds('connection_cache_ttl_limit'),
      statusUpdateSeconds: config.seconds('connection_cache_status_update_time'),
      requestTimeoutMs: config.seconds('connection_cache_protocol_timeout') * 1000,
      budget: budget ?? DescriptorBudget.ofProcess(),
    })
  },
}
