/**
 * session-course - one session from its beginning, new or cached, to its end
 *
 *     new connection   greeting    transaction   kept or closed
 *     from the cache               transaction   kept or closed      a dead one: as if it had not been
 *
 * Source: Postfix 3.7 smtp(8).
 */
import { TLS_LEVELS } from '@posthorn/wire/tlsproxy-protocol'
import type { CacheUse } from './cache-use.ts'
import type { Connection } from './connect.ts'
import type { Delivery } from './delivery.ts'
import { Greeting } from './greeting.ts'
import type { TlsWish } from './require-tls.ts'
import { LocalDataError, Session, type SessionStart } from './session.ts'
import { quit, sessionRules } from './session-end.ts'
import type { SmtpClient } from './smtp-client.ts'
import { NO_TLS, type TlsPolicy, type TlsTarget } from './tls-policy.ts'
import { StaleSessionError, Transaction } from './transaction.ts'

/** A new connection, and what it is for. */
export interface Arrival {
  readonly connection: Connection
  readonly target: TlsTarget
  readonly policy: TlsPolicy
  /** TLS_LEVELS of the policy that failed, where this connection is to go without. */
  readonly wantedTlsLevel?: number
  /** FEATURES that are known before the first word. */
  readonly features: number
  readonly startedMs: number
  /** No other session follows: what fails in the transaction is final. */
  readonly isFinalSession: boolean
}

/** 'plainNext': TLS was no good; the same server is to be tried without. */
export type SessionOutcome = 'used' | 'unused' | 'plainNext'

export class SessionCourse {
  readonly #client: SmtpClient
  readonly #delivery: Delivery
  readonly #cacheUse: CacheUse
  readonly #wish: TlsWish

  constructor(client: SmtpClient, delivery: Delivery, cacheUse: CacheUse, wish: TlsWish) {
    this.#client = client
    this.#delivery = delivery
    this.#cacheUse = cacheUse
    this.#wish = wish
  }

  /** 'unused': the handshake failed, or there was no connection. */
  async useNew(arrival: Arrival): Promise<SessionOutcome> {
    const { connection, target, policy, features, startedMs, isFinalSession } = arrival
    if (connection.kind === 'failed') {
      this.#delivery.lastFailure = connection.failure
      return 'unused'
    }
    const client = this.#client
    const { options } = client
    const session = await this.#begin({
      stream: connection.stream,
      host: target.host,
      nexthop: target.element,
      origin: 'new',
      features,
      tlsLevel: policy.level,
      // one that came about under a weaker policy than others have is not for them
      fate: this.#cacheUse.mayStore && this.#wish.demand !== 'may' ? 'cacheable' : 'spent',
      reuseUntilMs: startedMs + options.reuseTimeLimitSeconds * 1000,
      reuseCount: 0,
    })
    session.wantedTlsLevel = arrival.wantedTlsLevel ?? policy.level
    session.isTlsSettled = policy === NO_TLS
    const tls = policy === NO_TLS ? undefined : client.tls
    const logLevel = tls && (await client.tables.findTlsLogLevel?.(target))
    const secure = tls && { client: tls, policy, target, options, logLevel }
    if (tls !== undefined) session.allowsPlainRetry = await this.#allowsPlainRetry(session)
    const isReady = await new Greeting(this.#delivery, session, client, secure, this.#wish).run()
    if (isReady) {
      this.#delivery.isFinalServer = isFinalSession
      await new Transaction(this.#delivery, session, client).run()
    } else await quit(session, options)
    const { isPlainNext } = session
    await this.#end(session)
    if (isPlainNext && this.#delivery.recipientsLeft.length > 0) return 'plainNext'
    return isReady ? 'used' : 'unused'
  }

  /** False: the connection was dead, or not good enough, and nothing has happened. */
  async useCached(start: SessionStart): Promise<boolean> {
    if (this.#wish.findFault(start) !== undefined) {
      start.stream.close()
      return false
    }
    const session = await this.#begin(start)
    try {
      await new Transaction(this.#delivery, session, this.#client).run()
    } catch (error) {
      if (!(error instanceof StaleSessionError)) throw error
      session.stream.close()
      this.#delivery.endSession()
      return false
    }
    this.#cacheUse.usedAddresses.add(session.host.address)
    await this.#end(session)
    return true
  }

  async #begin(start: SessionStart): Promise<Session> {
    const { options, tables, notices } = this.#client
    const { queueId } = this.#delivery
    const rules = sessionRules(options, queueId, tables.filterReply, notices !== undefined)
    const session = new Session(start, rules)
    session.asksForRequireTls = this.#wish.asksForRequireTls
    this.#delivery.session = session
    // is what is said to be logged?
    const { isDebugPeer } = tables
    if (isDebugPeer !== undefined) {
      session.isDebugged = await isDebugPeer(session.nexthop, session.host)
    }
    return session
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

  /** Kept or closed. QUIT was part of the dialogue, unless the time for other deliveries ran out since. */
  async #end(session: Session): Promise<void> {
    const { cache, notices, options } = this.#client
    const { sender } = this.#delivery.job.request
    const wasThrottled = session.fate === 'throttled'
    if (notices !== undefined) await notices.tell(session, sender)
    if (session.isExpired) {
      session.spend()
      await quit(session, options)
    }
    if (session.fate === 'cacheable' && !session.isBroken) {
      await cache.save(session, sender, this.#cacheUse.destination)
    } else session.stream.close()
    if (!wasThrottled) this.#cacheUse.destination = ''
    this.#delivery.endSession()
  }
}
