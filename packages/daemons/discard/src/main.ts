/**
 * discard(8) - the delivery agent that throws mail away
 *
 * Serves: delivery requests on private/discard.
 * Trusts: the queue manager.
 * Needs:  nothing. Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 discard(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { serveDeliveries } from '@posthorn/delivery/delivery-agent'
import { createDeliveryContext, type DeliveryContext } from '@posthorn/delivery/delivery-context'
import { discardAgent } from './discard-agent.ts'

let opened: DeliveryContext | undefined

runService({
  program: 'discard',
  kind: 'single',
  beforeJail({ config }) {
    opened = createDeliveryContext(config)
  },
  start({ config }) {
    const context = opened ?? createDeliveryContext(config)
    return {
      serve: async (stream, client) => serveDeliveries(stream, client, discardAgent, context),
    }
  },
})
