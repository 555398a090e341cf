/**
 * find-servers - the servers of one next-hop, without ourselves
 *
 * In brackets and without DNS: the addresses of that host. For services that use_srv_lookup names: those of SRV records.
 * Else those of MX records, which LMTP does not have. Source: Postfix 3.7; SRV as postconf(5) of Postfix 3.8 says.
 */
import type { ServerLookup } from './address-lookup.ts'
import type { OrderRules } from './address-order.ts'
import { localFailure } from './failure.ts'
import { removeLoops, type LoopFreeServers } from './loop-detection.ts'
import type { Nexthop } from './nexthop.ts'
import type { SmtpClient } from './smtp-client.ts'

export interface Servers extends LoopFreeServers {
  /** How they are to be ordered. */
  order: OrderRules
  /** All at the port of the next-hop. */
  hasOnePort: boolean
}

type Finder = Pick<SmtpClient, 'options' | 'lookup' | 'own'>

export async function findServers(client: Finder, nexthop: Nexthop): Promise<Servers> {
  const { options, own } = client
  const { order } = options
  if (options.families.length === 0) {
    const failure = localFailure('4.4.4', 'all network protocols are disabled')
    return { hosts: [], isFinal: false, failure, order, hasOnePort: true }
  }
  const found = await lookUp(client, nexthop)
  if (found.kind === 'failed') {
    return { hosts: [], isFinal: false, failure: found.failure, order, hasOnePort: true }
  }
  const servers =
    options.protocol === 'lmtp'
      ? { hosts: found.hosts, isFinal: false }
      : removeLoops(found, nexthop.host, own.all)
  if (found.isOrdered !== true) return { ...servers, order, hasOnePort: true }
  const asFound = { ...order, isRandom: false, preferredFamily: 'any' } as const
  return { ...servers, order: asFound, hasOnePort: false }
}

async function lookUp({ options, lookup }: Finder, nexthop: Nexthop): Promise<ServerLookup> {
  const { host, port, service, isBracketed } = nexthop
  if (options.dnsSupport === 'disabled' || isBracketed) return lookup.findHost(host, port)
  if (options.srv.services.has(service)) {
    const found = await lookup.findService(nexthop)
    if (found !== undefined) return found
  }
  if (options.protocol === 'lmtp') return lookup.findHost(host, port)
  return lookup.findServers(host, port)
}
