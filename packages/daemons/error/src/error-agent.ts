/**
 * error-agent - fails every recipient, for the reason that the next-hop gives
 *
 * The next-hop is `X.Y.Z reason`; without the code it is 5.0.0, or 4.0.0 for the retry service.
 * Source: Postfix 3.7 error(8).
 */
import type { DeliveryAgent } from '@posthorn/delivery/delivery-agent'
import { isDsn, type RelayedStatus } from '@posthorn/delivery/delivery-status'

/** @param outcome what happens to mail: the service named `error` bounces; any other, as `retry`, defers */
export function errorAgent(outcome: 'bounced' | 'deferred'): DeliveryAgent {
  return {
    async deliver(job) {
      const status = parseReason(job.request.nexthop, outcome === 'deferred' ? '4.0.0' : '5.0.0')
      for (const recipient of job.recipients) await job[outcome](recipient, status)
      return undefined
    },
  }
}

function parseReason(nexthop: string, fallback: string): RelayedStatus {
  const [, code = '', rest = ''] = /^\s*(\S*)\s*(.*)$/s.exec(nexthop) ?? []
  return isDsn(code)
    ? { dsn: code, reason: rest, relay: 'none' }
    : { dsn: fallback, reason: nexthop, relay: 'none' }
}
