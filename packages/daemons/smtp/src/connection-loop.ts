/**
 * connection-loop - takes one request from next-hop to next-hop until no recipient is left
 *
 *   for each next-hop:  look up its servers, leave out ourselves, order the addresses
 *                       try them (nexthop-servers), each in a session (session-course)
 *   nobody took it:     defer or bounce with the last failure
 *
 * Source: Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import { orderAddresses } from './address-order.ts'
import { CacheUse } from './cache-use.ts'
import type { Delivery } from './delivery.ts'
import { isHard, localFailure } from './failure.ts'
import { findServers } from './find-servers.ts'
import { listNexthops, NexthopError, parseNexthop } from './nexthop.ts'
import { NexthopServers, type RequestParts } from './nexthop-servers.ts'
import { deliverToPath } from './path-delivery.ts'
import { TlsWish, WISH_UNKNOWN } from './require-tls.ts'
import { SessionCourse } from './session-course.ts'
import type { SmtpClient } from './smtp-client.ts'
import { TlsPolicies } from './tls-policies.ts'

const SMTPS_PORT = 465

export class ConnectionLoop {
  readonly #client: SmtpClient
  readonly #delivery: Delivery
  readonly #parts: RequestParts

  constructor(client: SmtpClient, delivery: Delivery) {
    this.#client = client
    this.#delivery = delivery
    const cacheUse = new CacheUse()
    const { request } = delivery.job
    const { options, tables } = client
    // where we say who we are, a header must not send our password to whoever answers
    const honorsHeader = options.honorsTlsRequired && client.sasl === undefined
    const wish = new TlsWish(request.smtpUtf8, tables.requireTls, honorsHeader)
    this.#parts = {
      client,
      delivery,
      cacheUse,
      wish,
      course: new SessionCourse(client, delivery, cacheUse, wish),
      policies: client.tls && new TlsPolicies(client.tls, client, wish),
    }
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
      await deliverToPath(nexthop.slice('unix:'.length), this.#parts)
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
    const { cacheUse } = this.#parts
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
    if (!(await this.#parts.wish.decide(nexthop.host))) {
      this.#delivery.lastFailure = WISH_UNKNOWN
      return isFinal
    }
    if (isFirst) {
      await cacheUse.decide(nexthop.host, this.#delivery.job.request.flags, this.#client)
      // by destination the cache knows no ports, and those of SRV records differ
      if (hasOnePort && cacheUse.isAllowed) cacheUse.destination = element
    }
    const ordered = orderAddresses(hosts, order)
    const bestPreference = best.preference
    const list = { nexthop, ordered, bestPreference, isFinal: isFinal || isLast }
    await new NexthopServers(this.#parts, list).run()
    cacheUse.destination = ''
    return isFinal
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
    if (delivery.isUnsuitable) dsn = `5${dsn.slice(1)}`
    if (dsn === '5.4.6' && options.bestMxTransport !== '') {
      await delivery.passRest(options.bestMxTransport, options.ipcTimeoutMs)
      return
    }
    delivery.isFinalServer = true
    await delivery.failSite({ ...failure, dsn })
    delivery.endSession()
  }
}
