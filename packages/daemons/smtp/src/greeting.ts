/**
 * greeting - the beginning of a new session: greeting, EHLO or HELO or LHLO, TLS, AUTH
 *
 *     [TLS]  greeting  EHLO  [STARTTLS  TLS  EHLO]  [AUTH]     the first with smtp_tls_wrappermode
 *
 * Sources: RFC 5321 3.1, 3.2, 4.1.4; RFC 2033 4.1; RFC 3207; Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import { SMTPUTF8_FLAGS } from '@posthorn/wire/attr-groups'
import type { Authenticator } from './authenticate.ts'
import type { ClientOptions } from './client-options.ts'
import type { Delivery } from './delivery.ts'
import { parseDiscardedKeywords, parseEhloReply } from './ehlo-reply.ts'
import { isSuspect, localFailure, serverFailure } from './failure.ts'
import { FEATURES } from './features.ts'
import type { Reply } from './reply-parser.ts'
import { TlsWish } from './require-tls.ts'
import { LocalDataError, type Session } from './session.ts'
import type { SmtpClient } from './smtp-client.ts'
import type { SessionTls } from './start-tls.ts'
import { TlsGreeting } from './tls-greeting.ts'

/** Lookups by server address; undefined: the table does not know it, or there is none. */
export interface ServerTables {
  /** smtp_discard_ehlo_keyword_address_maps. @throws {LocalDataError} */
  findDiscardedKeywords?: ((address: string) => Promise<string | undefined>) | undefined
  /** smtp_pix_workaround_maps */
  findPixWorkarounds?: ((address: string) => Promise<string | undefined>) | undefined
}

/** A Cisco PIX hides the server's words: nothing but asterisks is left of the greeting. */
const pixGreeting = /^[20 *\t\n]*$/

export class Greeting {
  readonly #delivery: Delivery
  readonly #session: Session
  readonly #options: ClientOptions
  readonly #tables: ServerTables
  readonly #sasl: Authenticator | undefined
  readonly #tls: TlsGreeting | undefined
  readonly #wish: TlsWish
  /** Before the dialogue has taught us anything. */
  readonly #firstFeatures: number

  /** `tls`: absent where policy wants plaintext. */
  constructor(
    delivery: Delivery,
    session: Session,
    client: Pick<SmtpClient, 'options' | 'tables' | 'sasl'>,
    tls?: SessionTls,
    wish = new TlsWish(),
  ) {
    this.#delivery = delivery
    this.#session = session
    this.#options = client.options
    this.#tables = client.tables
    this.#sasl = client.sasl
    this.#wish = wish
    this.#tls = tls && new TlsGreeting(delivery, session, wish, tls)
    this.#firstFeatures = session.features
  }

  /** True: the server is ready for mail. False: it is not, and that has been reported. */
  async run(): Promise<boolean> {
    try {
      if (this.#tls?.isFirst === true && !(await this.#tls.wrap())) return false
      return (
        (await this.#readGreeting()) &&
        (await this.#sayHello()) &&
        (this.#tls === undefined || (await this.#secure(this.#tls))) &&
        (this.#sasl === undefined || (await this.#authenticate(this.#sasl))) &&
        (await this.#canUtf8()) &&
        (await this.#fulfils())
      )
    } catch (error) {
      await this.#delivery.failSite(this.#session.failureOf(error))
      return false
    }
  }

  /** STARTTLS, as far as policy and server want it; then the server says anew what it can do. */
  async #secure(tls: TlsGreeting): Promise<boolean> {
    const session = this.#session
    if (session.tlsContext === undefined) {
      const outcome = await tls.negotiate()
      session.isTlsSettled = outcome !== 'failed'
      if (outcome !== 'secured') return outcome === 'plain'
      // RFC 3207 4.2: nothing that was said in plaintext counts
      const kept = session.features & FEATURES.tlsproxy
      session.features = this.#firstFeatures | FEATURES.esmtp | kept
      session.sizeLimit = 0
      session.authWords = []
      if (!(await this.#sayHello())) return false
    }
    return tls.isQuiet()
  }

  async #authenticate(sasl: Authenticator): Promise<boolean> {
    const session = this.#session
    if (!session.has(FEATURES.auth)) return true
    const failure = await sasl.authenticate(session, this.#delivery, session.nexthop)
    if (failure === undefined) return true
    await this.#delivery.failSite(failure)
    return false
  }

  async #readGreeting(): Promise<boolean> {
    const session = this.#session
    session.begin('receiving the initial server greeting', this.#options.timeouts.helloMs)
    const reply = await session.readReply()
    if (!isPositive(reply)) {
      const isSkipped = reply.code >= 500 && reply.code <= 599 && this.#options.skips5xxGreeting
      await this.#refuse(reply, isSkipped)
      return false
    }
    if (pixGreeting.test(reply.text)) await this.#enablePixWorkarounds()
    const words = reply.text.split(/[\s]+/)
    if (words[1]?.toLowerCase() === this.#options.myHostname.toLowerCase()) {
      log.warning(`host ${session.endpointText} greeted me with my own hostname ${words[1]}`)
    }
    const saysEsmtp = words.some((word) => /^(?:\d{3}-)?ESMTP$/i.test(word))
    const { alwaysSendsEhlo, neverSendsEhlo } = this.#options
    if ((saysEsmtp || alwaysSendsEhlo) && !neverSendsEhlo && !session.has(FEATURES.pixNoEsmtp)) {
      session.features |= FEATURES.esmtp
    }
    return true
  }

  async #enablePixWorkarounds(): Promise<void> {
    const session = this.#session
    const found = await this.#findPixWorkarounds()
    const words =
      found === undefined ? this.#options.pixWorkarounds : new Set(found.split(/[\s,]+/))
    const { arrivalMs } = this.#delivery.job.request.stats
    const isRecent = Date.now() - arrivalMs < this.#options.pixThresholdMs
    const enabled: string[] = []
    if (words.has('disable_esmtp')) {
      enabled.push('disable_esmtp')
      session.features |= FEATURES.pixNoEsmtp
    }
    if (words.has('delay_dotcrlf') && !isRecent) {
      enabled.push('delay_dotcrlf')
      session.features |= FEATURES.pixDelayDot
    }
    if (words.size === 0) return
    log.info(
      `${this.#delivery.queueId}: enabling PIX workarounds: ${enabled.join(' ')} ` +
        `for ${session.endpointText}`,
    )
  }

  /** A table that cannot be asked does not matter: the server is one of a rare kind anyway. */
  async #findPixWorkarounds(): Promise<string | undefined> {
    try {
      return await this.#tables.findPixWorkarounds?.(this.#session.host.address)
    } catch (error) {
      if (error instanceof LocalDataError) return undefined
      throw error
    }
  }

  async #sayHello(): Promise<boolean> {
    const session = this.#session
    if (this.#options.protocol === 'lmtp') {
      const reply = await this.#ask('LHLO')
      if (isPositive(reply)) return this.#takeFeatures(reply)
      await this.#refuse(reply)
      return false
    }
    if (session.has(FEATURES.esmtp)) {
      const reply = await this.#ask('EHLO')
      if (isPositive(reply)) return this.#takeFeatures(reply)
      // RFC 5321 3.8: 421 is "going away"; any other refusal is a server that knows HELO only
      if (reply.code === 421) {
        await this.#refuse(reply)
        return false
      }
      session.features &= ~FEATURES.esmtp
    }
    const reply = await this.#ask('HELO')
    if (isPositive(reply)) return true
    await this.#refuse(reply)
    return false
  }

  async #ask(verb: 'EHLO' | 'HELO' | 'LHLO'): Promise<Reply> {
    const session = this.#session
    session.begin(`performing the ${verb} handshake`, this.#options.timeouts.helloMs)
    session.send(`${verb} ${this.#options.heloName}`)
    return session.readReply()
  }

  async #takeFeatures(reply: Reply): Promise<boolean> {
    const session = this.#session
    const found = await this.#tables.findDiscardedKeywords?.(session.host.address)
    const words = found === undefined ? this.#options.discardedKeywords : found.split(/[\s,]+/)
    const { keywords, logged } = parseDiscardedKeywords(words)
    if (logged !== '') log.info(`discarding EHLO keywords: ${logged}`)
    const ehlo = parseEhloReply(reply.text, keywords)
    session.features |= ehlo.features
    session.sizeLimit = ehlo.sizeLimit
    session.serverName = ehlo.serverName
    session.authWords = ehlo.authWords
    // who does not authenticate has no use for the offer, nor have those who get the connection next
    if (this.#sasl === undefined) session.features &= ~FEATURES.auth
    if (ehlo.badSize !== undefined) {
      log.warning(`bad EHLO SIZE limit "${ehlo.badSize}" from ${session.endpointText}`)
    }
    if (session.has(FEATURES.smtpUtf8) && !session.has(FEATURES.eightBitMime)) {
      log.info(`host ${session.hostText} offers SMTPUTF8 support, but not 8BITMIME`)
      session.features |= FEATURES.eightBitMime
    }
    if (session.tlsContext !== undefined) session.features &= ~FEATURES.startTls
    else if (
      this.#tls === undefined &&
      this.#options.notesStartTls &&
      session.has(FEATURES.startTls)
    ) {
      log.info(`Host offered STARTTLS: [${session.host.name}]`)
    }
    const isOwnName = ehlo.serverName.toLowerCase() === this.#options.myHostname.toLowerCase()
    if (this.#options.protocol === 'lmtp' || !isOwnName) return true
    log.warning(
      `host ${session.endpointText} replied to HELO/EHLO with my own hostname ${ehlo.serverName}`,
    )
    const { nexthop } = this.#delivery.job.request
    const dsn = session.has(FEATURES.bestMx) ? '5.4.6' : '4.4.6'
    await this.#delivery.failSite(localFailure(dsn, `mail for ${nexthop} loops back to myself`))
    return false
  }

  /** RFC 6531 3.5: a message that needs SMTPUTF8 goes to a server that has it, or back. */
  async #canUtf8(): Promise<boolean> {
    const { smtpUtf8 } = this.#delivery.job.request
    const { requested, header, sender, recipient } = SMTPUTF8_FLAGS
    const isNeeded =
      (smtpUtf8 & requested) !== 0 && (smtpUtf8 & (header | sender | recipient)) !== 0
    if (!isNeeded || this.#session.has(FEATURES.smtpUtf8)) return true
    const reason = `SMTPUTF8 is required, but was not offered by host ${this.#session.hostText}`
    await this.#delivery.failMessage(localFailure('5.6.7', reason))
    return false
  }

  /** RFC 8689 4.2.1: what the message asks of TLS. */
  async #fulfils(): Promise<boolean> {
    const fault = this.#wish.findFault(this.#session)
    if (fault === undefined) return true
    await this.#delivery.failUnsuitable(fault)
    return false
  }

  /** `isSkipped`: another server may be kinder than one that says 5xx before it knows what we want. */
  async #refuse(reply: Reply, isSkipped = false): Promise<void> {
    const session = this.#session
    if (isSuspect(reply)) session.distrust()
    const before = `host ${session.hostText} refused to talk to me: `
    const failure = serverFailure(session.host.name, reply, before)
    const dsn = isSkipped ? `4${failure.dsn.slice(1)}` : failure.dsn
    await this.#delivery.failSite({ ...failure, dsn })
  }
}

function isPositive(reply: Reply): boolean {
  return reply.code >= 200 && reply.code <= 299
}
