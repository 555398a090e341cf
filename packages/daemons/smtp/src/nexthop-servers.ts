/**
 * nexthop-servers - the servers of one next-hop, tried in their order until nobody is left, or no server
 *
 *   with the cache:   a connection to the destination, then to each best server
 *   for each server:  a cached connection, if it is not among the best; else a new one
 *
 * Limits: smtp_mx_address_limit addresses and smtp_mx_session_limit sessions.
 * Source: Postfix 3.7 postconf(5).
 */
import type { CacheUse } from './cache-use.ts'
import { connectHost } from './connect.ts'
import type { Delivery } from './delivery.ts'
import { FEATURES } from './features.ts'
import type { Nexthop } from './nexthop.ts'
import type { TlsWish } from './require-tls.ts'
import type { ServerHost } from './server-host.ts'
import type { SessionCourse } from './session-course.ts'
import type { SmtpClient } from './smtp-client.ts'
import type { TlsPolicies } from './tls-policies.ts'
import { NO_TLS, type TlsPolicy } from './tls-policy.ts'

/** What the loops over next-hops and servers share for one request. */
export interface RequestParts {
  readonly client: SmtpClient
  readonly delivery: Delivery
  readonly cacheUse: CacheUse
  readonly course: SessionCourse
  readonly wish: TlsWish
  /** Absent: no destination can have TLS. */
  readonly policies: TlsPolicies | undefined
}

export interface ServerList {
  readonly nexthop: Nexthop
  readonly ordered: readonly ServerHost[]
  /** Of the MX records: best is the smallest. */
  readonly bestPreference: number
  /** No other next-hop follows. */
  readonly isFinal: boolean
}

/** To one server of a next-hop. */
interface Way {
  readonly host: ServerHost
  readonly policy: TlsPolicy
}

export class NexthopServers {
  readonly #parts: RequestParts
  readonly #list: ServerList

  constructor(parts: RequestParts, list: ServerList) {
    this.#parts = parts
    this.#list = list
  }

  async run(): Promise<void> {
    const { client, cacheUse, delivery } = this.#parts
    const { ordered, bestPreference, isFinal } = this.#list
    const { addressLimit, sessionLimit } = client.options
    let hosts = ordered.filter((host) => !cacheUse.usedAddresses.has(host.address))
    let sessionCount = 0
    if (cacheUse.mayLoad) {
      const reused = await this.#reuse(hosts)
      hosts = reused.hosts
      sessionCount = reused.count
    }
    let addressCount = sessionCount
    for (const [at, host] of hosts.entries()) {
      if (!this.#hasRecipients) return
      addressCount += 1
      const isLastAddress = at === hosts.length - 1 || addressCount === addressLimit
      const isLastSession = isLastAddress || sessionCount + 1 === sessionLimit
      const isBest = host.preference === bestPreference
      const way = await this.#findWay(host)
      let isUsed = false
      if (way !== undefined && cacheUse.mayLoad && !isBest) {
        delivery.isFinalServer = isFinal && isLastSession
        isUsed = await this.#useEndpoint(way)
      }
      if (way !== undefined && !isUsed) {
        delivery.isFinalServer = isFinal && isLastAddress
        isUsed = await this.#useNew(way, isBest, isFinal && isLastSession)
      }
      if (isUsed) sessionCount += 1
      if (isLastAddress || (sessionLimit > 0 && sessionCount >= sessionLimit)) return
    }
  }

  get #hasRecipients(): boolean {
    return this.#parts.delivery.recipientsLeft.length > 0
  }

  /** Connections from the cache; what is left of the addresses, and how many sessions there were. */
  async #reuse(ordered: readonly ServerHost[]): Promise<{ hosts: ServerHost[]; count: number }> {
    const { client, cacheUse, course, delivery } = this.#parts
    const { nexthop, bestPreference, isFinal } = this.#list
    const { addressLimit, sessionLimit } = client.options
    const isEnough = (count: number): boolean =>
      (sessionLimit > 0 && count >= sessionLimit) || (addressLimit > 0 && count >= addressLimit)
    const { sender } = delivery.job.request
    let hosts = [...ordered]
    let count = 0
    while (cacheUse.destination !== '' && this.#hasRecipients && hosts.length > 0 && count === 0) {
      const { element, port } = nexthop
      const wanted = { nexthop: element, port }
      const start = await client.cache.findDestination(sender, cacheUse.destination, wanted)
      if (start === undefined) break
      hosts = hosts.filter((host) => host.address !== start.host.address)
      delivery.isFinalServer = isFinal && hosts.length === 0
      if (await course.useCached(start)) count += 1
      else hosts = [...ordered]
    }
    for (const host of [...hosts]) {
      if (!this.#hasRecipients || isEnough(count)) break
      if (host.preference !== bestPreference) continue
      const way = await this.#findWay(host, ' error')
      delivery.isFinalServer = isFinal && host === hosts.at(-1)
      if (way === undefined || !(await this.#useEndpoint(way))) continue
      hosts = hosts.filter((one) => one !== host)
      count += 1
    }
    return { hosts: isEnough(count) ? [] : hosts, count }
  }

  /** With the TLS policy for this server; undefined: there is none, and no mail to this server now. */
  async #findWay(host: ServerHost, error = ''): Promise<Way | undefined> {
    const { delivery, policies, wish } = this.#parts
    const { element, host: domain } = this.#list.nexthop
    const target = { element, domain, host }
    const policy = policies === undefined ? NO_TLS : await policies.findFor(delivery, target, error)
    if (policy === undefined) return undefined
    const obstacle = wish.findObstacle(policy.level, host)
    if (obstacle === undefined) return { host, policy }
    delivery.skipUnsuitable(obstacle)
    return undefined
  }

  /** A cached connection to this address; false: there is none. */
  async #useEndpoint({ host, policy }: Way): Promise<boolean> {
    const { client, course, delivery } = this.#parts
    const { sender } = delivery.job.request
    const endpoint = {
      nexthop: this.#list.nexthop.element,
      hostName: host.name,
      address: host.address,
      port: host.port,
      tlsLevel: policy.level,
    }
    for (;;) {
      const start = await client.cache.findEndpoint(sender, endpoint)
      if (start === undefined) return false
      if (await course.useCached(start)) return true
    }
  }

  /** False: there was no session; the handshake failed, or there was no connection. */
  async #useNew({ host, policy }: Way, isBest: boolean, isFinalSession: boolean): Promise<boolean> {
    const { client, course } = this.#parts
    const { options, own } = client
    const { element, host: domain } = this.#list.nexthop
    const startedMs = Date.now()
    const connection = await connectHost(host, options, own.interfaces)
    const features = isBest ? FEATURES.bestMx : 0
    const target = { element, domain, host }
    const first = { connection, target, policy, features, startedMs, isFinalSession }
    const outcome = await course.useNew(first)
    if (outcome !== 'plainNext') return outcome === 'used'
    const again = await connectHost(host, options, own.interfaces)
    const plain = { connection: again, policy: NO_TLS, wantedTlsLevel: policy.level }
    return (await course.useNew({ ...first, ...plain, startedMs: Date.now() })) === 'used'
  }
}
