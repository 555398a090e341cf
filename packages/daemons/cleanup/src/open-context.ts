/**
 * open-context - the tables and services of a running cleanup(8)
 */
import type { ServiceContext } from '@posthorn/daemon/run-service'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { sendBounceRequest } from '@posthorn/wire/bounce-protocol'
import { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { qmgrTrigger, trigger } from '@posthorn/wire/trigger'
import type { CleanupContext } from './cleanup-context.ts'
import { warnAboutMilters } from './milter-stand-in.ts'
import { createContext } from './create-context.ts'

export async function openContext(service: ServiceContext): Promise<CleanupContext> {
  const { config } = service
  warnAboutMilters(config)
  const timeoutMs = config.seconds('ipc_timeout') * 1000
  const triggerTimeoutMs = config.seconds('trigger_timeout') * 1000
  return createContext(config, QueueLayout.fromConfig(config), {
    rewriteClient: new RewriteClient({
      path: `private/${config.text('rewrite_service_name')}`,
      timeoutMs,
      idleMs: config.seconds('ipc_idle') * 1000,
      ttlMs: config.seconds('ipc_ttl') * 1000,
    }),
    sendBounce: async (path, request) => sendBounceRequest(path, request, { timeoutMs }),
    wakeQmgr: async (path) => trigger(path, qmgrTrigger.wakeUp, triggerTimeoutMs),
  })
}
