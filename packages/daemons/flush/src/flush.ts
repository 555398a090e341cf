/**
 * flush - flush(8) as the skeleton sees it
 */
import type { ServiceDefinition } from '@posthorn/daemon/service'
import { fatal } from '@posthorn/log/log'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { DomainList } from '@posthorn/tables/match-list'
import { FlushService } from './flush-service.ts'

export const flush: ServiceDefinition = {
  program: 'flush',
  kind: 'single',
  requires: ['unlimited'],
  start({ args, config }) {
    if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
    const domains = DomainList.open('fast_flush_domains', config.text('fast_flush_domains'), {
      config,
    })
    return new FlushService({
      layout: QueueLayout.fromConfig(config),
      isEligible: async (site) => domains.matches(site),
      refreshSeconds: config.seconds('fast_flush_refresh_time'),
      purgeSeconds: config.seconds('fast_flush_purge_time'),
      qmgrPath: `public/${config.text('queue_service_name')}`,
      triggerTimeoutMs: config.seconds('trigger_timeout') * 1000,
    })
  },
}
