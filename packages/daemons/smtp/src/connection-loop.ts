/**
 * connection-loop - takes one request from next-hop to next-hop, host to host, until no recipient is left
 *
 *   for each next-hop:  look up its servers, leave out ourselves, order the addresses
 *                       use connections from the cache
 *                       connect to what is left
 *   nobody took it:     defer or bounce with the last failure
 *
 * Limits: smtp_mx_address_limit addresses and smtp_mx_session_limit sessions for each next-hop.
 * Source: Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import { TLS_LEVELS } from '@posthorn/wire/tlsproxy-protocol'
import { orderAddresses } from './address-order.ts'
import { connectHost, connectPath, type Connection } from './connect.ts'
import type { Delivery } from './delivery.ts'
import { isHard, localFailure } from './failure.ts'
import { FEATURES } from './features.ts'
import { findServers } from './find-servers.ts'
import { Greeting } from './greeting.ts'
import { listNexthops, NexthopError, parseNexthop, type Nexthop } from './nexthop.ts'
import type { ServerHost } from './server-host.ts'
import { LocalDataError, Session, type SessionStart } from './session.ts'
import { quit, sessionRules } from './session-end.ts'
import type { SmtpClient } from './smtp-client.ts'
import { TlsPolicies } from './tls-policies.ts'
import { NO_TLS, type TlsPolicy, type TlsTarget } from './tls-policy.ts'
import { StaleSessionError, Transaction } from './transaction.ts'

const SMTPS_PORT = 465

/** To one server of a next-hop. */
interface Way {
  nexthop: Nexthop
  host: ServerHost
  policy: TlsPolicy
}

/** A new connection, and what it is for. */
interface Arrival {
  connection: Connection
  target: TlsTarget
  policy: TlsPolicy
  features: number
  startedMs: number
  isFinalSession: boolean
}

export class ConnectionLoop {
  readonly #client: SmtpClient
  readonly #delivery: Delivery
  /** While set, a good session can be found by the name of the destination. */
  #requestNexthop = ''
  #mayLoad = false
  #mayStore = false
  readonly #usedAddresses = new Set<string>()
  /** Absent: no destination can have TLS. */
  readonly #policies: TlsPolicies | undefined

  constructor(client: SmtpClient, delivery: Delivery) {
    this.#client = client
    this.#delivery = delivery
    this.#policies = client.tls && new TlsPolicies(client.tls, client)
  }

  /** @throws {NexthopError} the destination is no destination */
  async run(): Promise<void> {
    const { nexthop } = this.#delivery.job.request
    if (nexthop === '') throw new NexthopError('empty nexthop hostname')
    const { options } = this.#client
    if (options.protocol === 'lmtp' && nexthop.startsWith('unix:')) {
      if (options.fallbackRelays.length > 0) {
        const setting = `lmtp_fallback_relay = ${options.fallbackRelayText}`
        log.warning(`ignoring "${setting}" setting for non-TCP connections`)
      }
      await this.#runPath(nexthop.slice('unix:'.length))
      await this.#failRest(nexthop, false)
      return
    }
    const isInet = options.protocol === 'lmtp' && nexthop.startsWith('inet:')
    const wanted = isInet ? nexthop.slice('inet:'.length) : nexthop
    const ownCount = listNexthops(wanted, []).length
    let elements = listNexthops(wanted, options.fallbackRelays)
    let isFallback = false
    for (let at = 0; at < elements.length && this.#hasRecipients; at++) {
      isFallback = at >= ownCount
      const isLast = at === elements.length - 1
      const isFinal = await this.#runElement(elements[at] ?? '', at === 0, isLast)
      if (isFinal) elements = elements.slice(0, at + 1)
    }
    await this.#failRest(elements[0] ?? '', isFallback)
  }

  get #hasRecipients(): boolean {
    return this.#delivery.recipientsLeft.length > 0
  }

  /** True: no other next-hop may be tried. */
  async #runElement(element: string, isFirst: boolean, isLast: boolean): Promise<boolean> {
    const { options, tls } = this.#client
    const nexthop = parseNexthop(element, options.nexthop)
    if (nexthop.port === SMTPS_PORT && tls?.options.usesWrapper !== true) {
      log.info(
        'SMTPS wrappermode (TCP port 465) requires setting "smtp_tls_wrappermode = yes", ' +
          'and "smtp_tls_security_level = encrypt" (or stronger)',
      )
    }
    const { hosts, isFinal, failure, order, hasOnePort } = await findServers(this.#client, nexthop)
    if (failure !== undefined) this.#delivery.lastFailure = failure
    const [best] = hosts
    if (best === undefined) return isFinal
    if (isFirst) {
      await this.#setCachePolicy(nexthop.host)
      // by destination the cache knows no ports, and those of SRV records differ
      if (hasOnePort && (this.#mayLoad || this.#mayStore)) this.#requestNexthop = element
    }
    const ordered = orderAddresses(hosts, order)
    await this.#runHosts(nexthop, ordered, best.preference, isFinal || isLast)
    this.#requestNexthop = ''
    return isFinal
  }

  /** Once for each request. */
  async #setCachePolicy(name: string): Promise<void> {
    const { options, tables } = this.#client
    if ((await tables.isCachedDestination?.(name)) === true) {
      this.#mayLoad = true
      this.#mayStore = true
    } else if (options.cachesOnDemand) {
      const { flags } = this.#delivery.job.request
      this.#mayLoad = (flags & DELIVERY_FLAGS.connectionLoad) !== 0
      this.#mayStore = (flags & DELIVERY_FLAGS.connectionStore) !== 0
    }
  }

  async #runHosts(
    nexthop: Nexthop,
    ordered: readonly ServerHost[],
    bestPreference: number,
    isFinalElement: boolean,
  ): Promise<void> {
    const { addressLimit, sessionLimit } = this.#client.options
    let hosts = ordered.filter((host) => !this.#usedAddresses.has(host.address))
    let sessionCount = 0
    if (this.#mayLoad) {
      const reused = await this.#reuse(nexthop, hosts, bestPreference, isFinalElement)
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
      const way =
        this.#policies === undefined
          ? { nexthop, host, policy: NO_TLS }
          : await this.#findWay(nexthop, host, this.#policies)
      let isUsed = false
      if (way !== undefined && this.#mayLoad && !isBest) {
        this.#delivery.isFinalServer = isFinalElement && isLastSession
        isUsed = await this.#useEndpoint(way)
      }
      if (way !== undefined && !isUsed) {
        this.#delivery.isFinalServer = isFinalElement && isLastAddress
        isUsed = await this.#useNew(way, isBest, isFinalElement && isLastSession)
      }
      if (isUsed) sessionCount += 1
      if (isLastAddress || (sessionLimit > 0 && sessionCount >= sessionLimit)) return
    }
  }

  /** Connections from the cache; what is left of the addresses, and how many sessions there were. */
  async #reuse(
    nexthop: Nexthop,
    ordered: readonly ServerHost[],
    bestPreference: number,
    isFinalElement: boolean,
  ): Promise<{ hosts: ServerHost[]; count: number }> {
    const { addressLimit, sessionLimit } = this.#client.options
    const isEnough = (count: number): boolean =>
      (sessionLimit > 0 && count >= sessionLimit) || (addressLimit > 0 && count >= addressLimit)
    const { sender } = this.#delivery.job.request
    let hosts = [...ordered]
    let count = 0
    while (this.#requestNexthop !== '' && this.#hasRecipients && hosts.length > 0 && count === 0) {
      const { element, port } = nexthop
      const wanted = { nexthop: element, port }
      const start = await this.#client.cache.findDestination(sender, this.#requestNexthop, wanted)
      if (start === undefined) break
      hosts = hosts.filter((host) => host.address !== start.host.address)
      this.#delivery.isFinalServer = isFinalElement && hosts.length === 0
      if (await this.#useCached(start)) count += 1
      else hosts = [...ordered]
    }
    for (const host of [...hosts]) {
      if (!this.#hasRecipients || isEnough(count)) break
      if (host.preference !== bestPreference) continue
      const way =
        this.#policies === undefined
          ? { nexthop, host, policy: NO_TLS }
          : await this.#findWay(nexthop, host, this.#policies, ' error')
      this.#delivery.isFinalServer = isFinalElement && host === hosts.at(-1)
      if (way === undefined || !(await this.#useEndpoint(way))) continue
      hosts = hosts.filter((one) => one !== host)
      count += 1
    }
    return { hosts: isEnough(count) ? [] : hosts, count }
  }

  /** With the TLS policy for this server; undefined: there is none, and no mail to this server now. */
  async #findWay(
    nexthop: Nexthop,
    host: ServerHost,
    policies: TlsPolicies,
    error = '',
  ): Promise<Way | undefined> {
    const { element, host: domain } = nexthop
    const policy = await policies.findFor(this.#delivery, { element, domain, host }, error)
    return policy === undefined ? undefined : { nexthop, host, policy }
  }

  /** A cached connection to this address; false: there is none. */
  async #useEndpoint({ nexthop, host, policy }: Way): Promise<boolean> {
    const { cache } = this.#client
    const { sender } = this.#delivery.job.request
    const endpoint = {
      nexthop: nexthop.element,
      hostName: host.name,
      address: host.address,
      port: host.port,
      tlsLevel: policy.level,
    }
    for (;;) {
      const start = await cache.findEndpoint(sender, endpoint)
      if (start === undefined) return false
      if (await this.#useCached(start)) return true
    }
  }

  /** False: there was no session; the handshake failed, or there was no connection. */
  async #useNew(way: Way, isBest: boolean, isFinalSession: boolean): Promise<boolean> {
    const { options, own } = this.#client
    const { host, nexthop, policy } = way
    const startedMs = Date.now()
    const connection = await connectHost(host, options, own.interfaces)
    const features = isBest ? FEATURES.bestMx : 0
    const target = { element: nexthop.element, domain: nexthop.host, host }
    const first = { connection, target, policy, features, startedMs, isFinalSession }
    const outcome = await this.#greet(first)
    if (outcome !== 'plainNext') return outcome === 'used'
    const again = await connectHost(host, options, own.interfaces)
    const second = { ...first, connection: again, policy: NO_TLS, startedMs: Date.now() }
    return (await this.#greet(second)) === 'used'
  }

  async #greet(arrival: Arrival): Promise<'used' | 'unused' | 'plainNext'> {
    const { connection, target, policy, features, startedMs, isFinalSession } = arrival
    if (connection.kind === 'failed') {
      this.#delivery.lastFailure = connection.failure
      return 'unused'
    }
    const client = this.#client
    const { options } = client
    const session = this.#createSession({
      stream: connection.stream,
      host: target.host,
      nexthop: target.element,
      origin: 'new',
      features,
      tlsLevel: policy.level,
      fate: this.#mayStore ? 'cacheable' : 'spent',
      reuseUntilMs: startedMs + options.reuseTimeLimitSeconds * 1000,
      reuseCount: 0,
    })
    if (this.#client.tables.isDebugPeer !== undefined) await this.#watch(session)
    const tls = policy === NO_TLS ? undefined : client.tls
    const secure = tls && { client: tls, policy, target, options }
    if (tls !== undefined) session.allowsPlainRetry = await this.#allowsPlainRetry(session)
    const isReady = await new Greeting(this.#delivery, session, client, secure).run()
    if (isReady) {
      this.#delivery.isFinalServer = isFinalSession
      await new Transaction(this.#delivery, session, client).run()
    } else await quit(session, options)
    const { isPlainNext } = session
    await this.#end(session)
    if (isPlainNext && this.#hasRecipients) return 'plainNext'
    return isReady ? 'used' : 'unused'
  }

  /**
   * A first attempt never falls back to plaintext, so that nobody gets mail in the clear by breaking one handshake; nor
   * does mail that goes with a password. Source: Postfix 3.7 postconf(5) smtp_tls_policy_maps.
   */
  async #allowsPlainRetry(session: Session): Promise<boolean> {
    const { job } = this.#delivery
    const { options, sasl } = this.#client
    const { arrivalMs, activeMs } = job.request.stats
    if (session.tlsLevel !== TLS_LEVELS.may) return false
    if (!job.isProbe && activeMs - arrivalMs < options.plainRetryMs) return false
    if (sasl === undefined) return true
    try {
      const { sender } = job.request
      return (await sasl.findCredentials(session, sender, session.nexthop)) === undefined
    } catch (error) {
      if (error instanceof LocalDataError) return false
      throw error
    }
  }

  /** False: the connection was dead, and nothing has happened. */
  async #useCached(start: SessionStart): Promise<boolean> {
    const session = this.#createSession(start)
    if (this.#client.tables.isDebugPeer !== undefined) await this.#watch(session)
    try {
      await new Transaction(this.#delivery, session, this.#client).run()
    } catch (error) {
      if (!(error instanceof StaleSessionError)) throw error
      session.stream.close()
      this.#delivery.endSession()
      return false
    }
    this.#usedAddresses.add(session.host.address)
    await this.#end(session)
    return true
  }

  #createSession(start: SessionStart): Session {
    const { options, tables } = this.#client
    const { notices } = this.#client
    const { queueId } = this.#delivery
    const rules = sessionRules(options, queueId, tables.filterReply, notices !== undefined)
    const session = new Session(start, rules)
    this.#delivery.session = session
    return session
  }

  /** Is what is said to be logged? */
  async #watch(session: Session): Promise<void> {
    const { isDebugPeer } = this.#client.tables
    session.isDebugged = (await isDebugPeer?.(session.nexthop, session.host)) === true
  }

  /** Kept or closed. QUIT was part of the dialogue, unless the time for other deliveries ran out since. */
  async #end(session: Session): Promise<void> {
    const { notices } = this.#client
    const wasThrottled = session.fate === 'throttled'
    if (notices !== undefined) await notices.tell(session, this.#delivery.job.request.sender)
    if (session.isExpired) {
      session.spend()
      await quit(session, this.#client.options)
    }
    if (session.fate === 'cacheable' && !session.isBroken) {
      const { sender } = this.#delivery.job.request
      await this.#client.cache.save(session, sender, this.#requestNexthop)
    } else session.stream.close()
    if (!wasThrottled) this.#requestNexthop = ''
    this.#delivery.endSession()
  }

  async #runPath(path: string): Promise<void> {
    const { options, cache } = this.#client
    const host: ServerHost = { name: options.myHostname, address: path, port: 0, preference: 0 }
    await this.#setCachePolicy(path)
    if (this.#mayLoad || this.#mayStore) this.#requestNexthop = path
    this.#delivery.isFinalServer = true
    while (this.#mayLoad) {
      const { sender } = this.#delivery.job.request
      const wanted = { nexthop: path, port: 0 }
      const start = await cache.findDestination(sender, path, wanted)
      if (start === undefined) break
      if (await this.#useCached(start)) return
    }
    const target = { element: path, domain: options.myHostname, host }
    const policy =
      this.#policies === undefined
        ? NO_TLS
        : await this.#policies.findForPath(this.#delivery, target)
    if (policy === undefined) return
    const startedMs = Date.now()
    const connection = await connectPath(host, options)
    const features = FEATURES.bestMx
    await this.#greet({ connection, target, policy, features, startedMs, isFinalSession: true })
  }

  /** All hosts were tried. */
  async #failRest(firstElement: string, isFallback: boolean): Promise<void> {
    if (!this.#hasRecipients) return
    const { options } = this.#client
    const delivery = this.#delivery
    const failure =
      delivery.lastFailure ?? localFailure('4.3.0', 'server unavailable or unable to receive mail')
    let { dsn } = failure
    if (isHard(failure) && isFallback) {
      log.warning(`${options.protocol}_fallback_relay configuration problem`)
      dsn = '4.3.5'
    } else if (
      isHard(failure) &&
      options.protocol === 'smtp' &&
      firstElement === options.relayhost
    ) {
      log.warning('relayhost configuration problem')
      dsn = '4.3.5'
    }
    if (dsn === '5.4.6' && options.bestMxTransport !== '') {
      await delivery.passRest(options.bestMxTransport, options.ipcTimeoutMs)
      return
    }
    delivery.isFinalServer = true
    await delivery.failSite({ ...failure, dsn })
    delivery.endSession()
  }
}
