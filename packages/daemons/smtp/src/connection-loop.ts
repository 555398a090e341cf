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
import { orderAddresses } from './address-order.ts'
import { connectHost, connectPath, type Connection } from './connect.ts'
import type { Delivery } from './delivery.ts'
import { isHard, localFailure, type Failure } from './failure.ts'
import { FEATURES } from './features.ts'
import { Greeting } from './greeting.ts'
import { removeLoops } from './loop-detection.ts'
import { listNexthops, NexthopError, parseNexthop, type Nexthop } from './nexthop.ts'
import type { ServerHost } from './server-host.ts'
import { Session, type SessionStart } from './session.ts'
import { findUnsupported, tlsLevelNumber } from './security-policy.ts'
import { quit, sessionRules } from './session-end.ts'
import type { SmtpClient } from './smtp-client.ts'
import { StaleSessionError, Transaction } from './transaction.ts'

const SMTP_PORT = 25
const SMTPS_PORT = 465

export class ConnectionLoop {
  readonly #client: SmtpClient
  readonly #delivery: Delivery
  /** While set, a good session can be found by the name of the destination. */
  #requestNexthop = ''
  #mayLoad = false
  #mayStore = false
  readonly #usedAddresses = new Set<string>()

  constructor(client: SmtpClient, delivery: Delivery) {
    this.#client = client
    this.#delivery = delivery
  }

  /** @throws {NexthopError} the destination is no destination */
  async run(): Promise<void> {
    const { nexthop } = this.#delivery.job.request
    if (nexthop === '') throw new NexthopError('empty nexthop hostname')
    const { options } = this.#client
    if (options.protocol === 'lmtp' && nexthop.startsWith('unix:')) {
      if (options.fallbackRelays.length > 0) {
        const value = options.fallbackRelays.join(' ')
        log.warning(`ignoring "lmtp_fallback_relay = ${value}" setting for non-TCP connections`)
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
    const { options, tables } = this.#client
    const nexthop = parseNexthop(element, options.nexthop)
    if (nexthop.port === SMTPS_PORT) {
      log.info(
        'SMTPS wrappermode (TCP port 465) requires setting "smtp_tls_wrappermode = yes", ' +
          'and "smtp_tls_security_level = encrypt" (or stronger)',
      )
    }
    const unsupported = await findUnsupported(options, tables, nexthop)
    if (unsupported !== undefined) {
      this.#delivery.lastFailure = unsupported
      return false
    }
    const { hosts, isFinal, failure } = await this.#findServers(nexthop)
    if (failure !== undefined) this.#delivery.lastFailure = failure
    const [best] = hosts
    if (best === undefined) return isFinal
    if (isFirst) {
      await this.#setCachePolicy(nexthop.host)
      if (this.#mayLoad || this.#mayStore) this.#requestNexthop = element
    }
    const ordered = orderAddresses(hosts, options.order)
    await this.#runHosts(nexthop, ordered, best.preference, isFinal || isLast)
    this.#requestNexthop = ''
    return isFinal
  }

  async #findServers(
    nexthop: Nexthop,
  ): Promise<{ hosts: readonly ServerHost[]; isFinal: boolean; failure?: Failure }> {
    const { options, lookup, own } = this.#client
    if (options.families.length === 0) {
      const failure = localFailure('4.4.4', 'all network protocols are disabled')
      return { hosts: [], isFinal: false, failure }
    }
    const usesMx =
      options.protocol === 'smtp' && options.dnsSupport !== 'disabled' && !nexthop.isBracketed
    const found = usesMx
      ? await lookup.findServers(nexthop.host, nexthop.port)
      : await lookup.findHost(nexthop.host, nexthop.port)
    if (found.kind === 'failed') return { hosts: [], isFinal: false, failure: found.failure }
    if (options.protocol === 'lmtp' || nexthop.port !== SMTP_PORT) {
      return { hosts: found.hosts, isFinal: false }
    }
    return removeLoops(found, nexthop.host, own.all)
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
      let isUsed = false
      if (this.#mayLoad && !isBest) {
        this.#delivery.isFinalServer = isFinalElement && isLastSession
        isUsed = await this.#useEndpoint(nexthop, host)
      }
      if (!isUsed) {
        this.#delivery.isFinalServer = isFinalElement && isLastAddress
        isUsed = await this.#useNew(nexthop, host, isBest, isFinalElement && isLastSession)
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
      this.#delivery.isFinalServer = isFinalElement && host === hosts.at(-1)
      if (!(await this.#useEndpoint(nexthop, host))) continue
      hosts = hosts.filter((one) => one !== host)
      count += 1
    }
    return { hosts: isEnough(count) ? [] : hosts, count }
  }

  /** A cached connection to this address; false: there is none. */
  async #useEndpoint(nexthop: Nexthop, host: ServerHost): Promise<boolean> {
    const { cache, options } = this.#client
    const { sender } = this.#delivery.job.request
    const endpoint = {
      nexthop: nexthop.element,
      hostName: host.name,
      address: host.address,
      port: host.port,
      tlsLevel: tlsLevelNumber(options),
    }
    for (;;) {
      const start = await cache.findEndpoint(sender, endpoint)
      if (start === undefined) return false
      if (await this.#useCached(start)) return true
    }
  }

  /** False: there was no session; the handshake failed, or there was no connection. */
  async #useNew(
    nexthop: Nexthop,
    host: ServerHost,
    isBest: boolean,
    isFinalSession: boolean,
  ): Promise<boolean> {
    const startedMs = Date.now()
    const connection = await connectHost(host, this.#client.options, this.#client.own.interfaces)
    const features = isBest ? FEATURES.bestMx : 0
    return this.#greet(connection, host, nexthop.element, features, startedMs, isFinalSession)
  }

  async #greet(
    connection: Connection,
    host: ServerHost,
    nexthop: string,
    features: number,
    startedMs: number,
    isFinalSession: boolean,
  ): Promise<boolean> {
    if (connection.kind === 'failed') {
      this.#delivery.lastFailure = connection.failure
      return false
    }
    const { options, tables } = this.#client
    const session = this.#createSession({
      stream: connection.stream,
      host,
      nexthop,
      origin: 'new',
      features,
      tlsLevel: tlsLevelNumber(options),
      fate: this.#mayStore ? 'cacheable' : 'spent',
      reuseUntilMs: startedMs + options.reuseTimeLimitSeconds * 1000,
      reuseCount: 0,
    })
    const isReady = await new Greeting(this.#delivery, session, options, tables).run()
    if (isReady) {
      this.#delivery.isFinalServer = isFinalSession
      await new Transaction(this.#delivery, session, this.#client).run()
    } else await quit(session, options)
    await this.#end(session)
    return isReady
  }

  /** False: the connection was dead, and nothing has happened. */
  async #useCached(start: SessionStart): Promise<boolean> {
    const session = this.#createSession(start)
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
    const startedMs = Date.now()
    const connection = await connectPath(host, options)
    await this.#greet(connection, host, path, FEATURES.bestMx, startedMs, true)
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
