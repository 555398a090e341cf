/**
 * discard-agent - takes every recipient for delivered, and keeps nothing
 *
 * The next-hop is the reason that the log shows. Source: Postfix 3.7 discard(8).
 */
import type { DeliveryAgent } from '@posthorn/delivery/delivery-agent'

export const discardAgent: DeliveryAgent = {
  async deliver(job) {
    const status = { dsn: '2.0.0', reason: job.request.nexthop, relay: 'none' }
    for (const recipient of job.recipients) await job.sent(recipient, status)
    return undefined
  },
}
