/**
 * error(8) - bounces or defers all mail that it is given
 *
 * The services `error` and `retry` are this program: mail that cannot be delivered gets its reason here, in the log
 * and in the record for the sender, as any other delivery would.
 *
 * Serves: delivery requests on private/error and private/retry.
 * Trusts: the queue manager.
 * Needs:  nothing. Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 error(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { serveDeliveries } from '@posthorn/delivery/delivery-agent'
import { createDeliveryContext, type DeliveryContext } from '@posthorn/delivery/delivery-context'
import { errorAgent } from './error-agent.ts'

let opened: DeliveryContext | undefined

runService({
  program: 'error',
  kind: 'single',
  beforeJail({ config }) {
    opened = createDeliveryContext(config)
  },
  start({ config, serviceName }) {
    const context = opened ?? createDeliveryContext(config)
    const agent = errorAgent(serviceName === 'error' ? 'bounced' : 'deferred')
    return { serve: async (stream, client) => serveDeliveries(stream, client, agent, context) }
  },
})
