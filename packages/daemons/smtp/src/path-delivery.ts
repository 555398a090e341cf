/**
 * path-delivery - LMTP to a UNIX-domain socket: one server, which the next-hop names by its path
 */
import { connectPath } from './connect.ts'
import { FEATURES } from './features.ts'
import type { RequestParts } from './nexthop-servers.ts'
import type { ServerHost } from './server-host.ts'
import { WISH_UNKNOWN } from './require-tls.ts'
import { NO_TLS } from './tls-policy.ts'

export async function deliverToPath(path: string, parts: RequestParts): Promise<void> {
  const { client, delivery, cacheUse, course, policies, wish } = parts
  const { options, cache } = client
  const { flags, sender } = delivery.job.request
  const host: ServerHost = { name: options.myHostname, address: path, port: 0, preference: 0 }
  if (!(await wish.decide(options.myHostname))) {
    delivery.lastFailure = WISH_UNKNOWN
    return
  }
  await cacheUse.decide(path, flags, client)
  if (cacheUse.isAllowed) cacheUse.destination = path
  delivery.isFinalServer = true
  while (cacheUse.mayLoad) {
    const start = await cache.findDestination(sender, path, { nexthop: path, port: 0 })
    if (start === undefined) break
    if (await course.useCached(start)) return
  }
  const target = { element: path, domain: options.myHostname, host }
  const policy = policies === undefined ? NO_TLS : await policies.findForPath(delivery, target)
  if (policy === undefined) return
  const obstacle = wish.findObstacle(policy.level, host)
  if (obstacle !== undefined) {
    delivery.skipUnsuitable(obstacle)
    return
  }
  const startedMs = Date.now()
  const connection = await connectPath(host, options)
  const features = FEATURES.bestMx
  await course.useNew({ connection, target, policy, features, startedMs, isFinalSession: true })
}
