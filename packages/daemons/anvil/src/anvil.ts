/**
 * anvil - anvil(8) as the skeleton sees it
 */
import type { ServiceDefinition } from '@posthorn/daemon/service'
import { fatal } from '@posthorn/log/log'
import { AnvilService } from './anvil-service.ts'

export const anvil: ServiceDefinition = {
  program: 'anvil',
  kind: 'multi',
  requires: ['alone'],
  usesLimit: 'off',
  leastIdleSeconds: (config) => config.seconds('anvil_rate_time_unit'),
  start({ args, config }) {
    if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
    return new AnvilService({
      unitSeconds: config.seconds('anvil_rate_time_unit'),
      statusUpdateSeconds: config.seconds('anvil_status_update_time'),
    })
  },
}
