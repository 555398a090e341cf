/**
 * qmgr(8) - the queue manager
 *
 * Takes messages from the incoming and the deferred queue, has their recipients resolved, gives them to delivery
 * agents with attention to how busy destinations are, and removes, defers or returns what is left.
 *
 * Serves: triggers on public/qmgr.
 * Trusts: queue files that belong to mail_owner; the other daemons of this system.
 * Holds:  at most qmgr_message_active_limit messages, without their content.
 * Needs:  process limit 1. Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 qmgr(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { createDeliveryContext, type DeliveryContext } from '@posthorn/delivery/delivery-context'
import { QueueManager } from './queue-manager.ts'
import { readQmgrSettings } from './qmgr-settings.ts'
import { restoreActive } from './restore-active.ts'
import { systemClock } from './schedule/clock.ts'

let opened: DeliveryContext | undefined

runService({
  program: 'qmgr',
  kind: 'trigger',
  requires: ['alone'],
  usesLimit: 'off',
  idleLimit: 'off',
  watchdogSeconds: (config) => config.seconds('qmgr_daemon_timeout'),
  beforeJail({ config }) {
    opened = createDeliveryContext(config)
  },
  async start({ config, flowControl }) {
    const settings = readQmgrSettings(config)
    await restoreActive(settings.layout)
    const context = opened ?? createDeliveryContext(config)
    const manager = new QueueManager(settings, context, flowControl, systemClock)
    manager.scan(['incoming', 'deferred'])
    setInterval(() => {
      manager.scan(['deferred'])
    }, settings.queueRunSeconds * 1000).unref()
    return {
      trigger: (octets) => {
        manager.trigger(octets)
      },
    }
  },
})
