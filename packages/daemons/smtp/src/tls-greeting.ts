/**
 * tls-greeting - TLS at the beginning of a session: STARTTLS, or TLS before anything is said
 *
 * Every failure is reported to the delivery here. Where TLS is optional, a server that does not offer or refuses it gets the
 * mail in plaintext; a handshake that fails ends the session.
 * Sources: RFC 3207 4; RFC 8314 3.3 (TLS first); Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import { isTlsResumed } from '@posthorn/wire/tls-finding'
import type { Delivery } from './delivery.ts'
import { isSuspect, localFailure, serverFailure } from './failure.ts'
import { FEATURES } from './features.ts'
import type { TlsWish } from './require-tls.ts'
import type { Session } from './session.ts'
import { hasEngine, isCertified, limitReuse, startTls, type SessionTls } from './start-tls.ts'
import { isTlsRequired } from './tls-options.ts'
import type { TlsFault } from './tls-policy.ts'
import { judgeHandshake } from './tls-verdict.ts'

const NO_ENGINE = 'TLS is required, but our TLS engine is unavailable'

export class TlsGreeting {
  readonly #delivery: Delivery
  readonly #session: Session
  readonly #wish: TlsWish
  readonly #tls: SessionTls

  constructor(delivery: Delivery, session: Session, wish: TlsWish, tls: SessionTls) {
    this.#delivery = delivery
    this.#session = session
    this.#wish = wish
    this.#tls = tls
  }

  /** smtp_tls_wrappermode: before the greeting. */
  get isFirst(): boolean {
    return this.#tls.client.options.usesWrapper
  }

  async wrap(): Promise<boolean> {
    if (!hasEngine(this.#tls)) return this.#fail('4.7.5', NO_ENGINE)
    limitReuse(this.#session, this.#tls)
    return this.#shakeHands()
  }

  /** After EHLO. 'failed' has been reported. */
  async negotiate(): Promise<'plain' | 'secured' | 'failed'> {
    const session = this.#session
    const isRequired = isTlsRequired(session.tlsLevel)
    const isOffered = session.has(FEATURES.startTls)
    if (!isOffered) this.#report({ code: 'starttls-not-supported' })
    if (!isOffered || !hasEngine(this.#tls)) {
      if (!isRequired) return 'plain'
      const fault = isOffered ? undefined : this.#wish.findFault(session)
      if (isOffered) await this.#fail('4.7.5', NO_ENGINE)
      else if (fault !== undefined) await this.#delivery.failUnsuitable(fault)
      else {
        const reason = `TLS is required, but was not offered by host ${session.hostText}`
        await this.#fail('4.7.4', reason)
      }
      return 'failed'
    }
    const { timeoutSeconds } = this.#tls.client.options
    limitReuse(session, this.#tls)
    session.begin('receiving the STARTTLS response', timeoutSeconds * 1000)
    session.send('STARTTLS')
    const reply = await session.readReply()
    if (reply.code >= 200 && reply.code <= 299) {
      return (await this.#shakeHands()) ? 'secured' : 'failed'
    }
    this.#report({ code: 'starttls-not-supported', reason: `reply ${reply.code} to STARTTLS` })
    if (!isRequired) return 'plain'
    if (isSuspect(reply)) session.distrust()
    const before = `TLS is required, but host ${session.hostText} refused to start TLS: `
    await this.#delivery.failSite(serverFailure(session.host.name, reply, before))
    return 'failed'
  }

  /** smtp_tls_block_early_mail_reply: before MAIL. */
  async isQuiet(): Promise<boolean> {
    const session = this.#session
    if (!this.#tls.client.options.blocksEarlyReply || !session.stream.hasInput()) return true
    // CVE-2009-3555: the answer to somebody else's commands would be taken for that to ours
    session.features |= FEATURES.earlyTlsReply
    log.warning(`server ${session.hostText} violates smtp_tls_block_early_mail_reply policy`)
    return this.#fail('4.7.0', 'unexpected server message')
  }

  /** With the certificate that policy wants. */
  async #shakeHands(): Promise<boolean> {
    // under TLS the stream does not know any more
    const localAddress = this.#localAddress
    const outcome = await startTls(this.#session, this.#tls)
    if (outcome === 'secured') {
      this.#reportHandshake(localAddress)
      if (isCertified(this.#session)) return true
      const fault = this.#wish.findFault(this.#session)
      if (fault !== undefined) {
        await this.#delivery.failUnsuitable(fault)
        return false
      }
      return this.#fail('4.7.5', 'Server certificate not verified')
    }
    if (outcome === 'failed') {
      this.#report({ code: 'validation-failure', reason: 'handshake failure' }, localAddress)
    }
    this.#delivery.planPlain()
    const failure = localFailure('4.7.5', 'Cannot start TLS: handshake failure')
    // where TLS is a matter of chance, its failure says nothing about the destination
    if (isTlsRequired(this.#session.tlsLevel)) await this.#delivery.failSite(failure)
    else await this.#delivery.failMessage(failure)
    return false
  }

  #reportHandshake(localAddress: string | undefined): void {
    const { tlsContext } = this.#session
    const { client, policy } = this.#tls
    if (client.reports === undefined || tlsContext === undefined) return
    if (client.reports.skipsResumed && isTlsResumed(tlsContext.peerStatus)) return
    this.#report(judgeHandshake(policy, tlsContext), localAddress)
  }

  #report(fault: TlsFault | undefined, localAddress = this.#localAddress): void {
    const { client, policy, target } = this.#tls
    const { serverName } = this.#session
    client.reports?.tell(target, policy.applied, fault, { localAddress, serverName })
  }

  /** Only reports want to know. */
  get #localAddress(): string | undefined {
    if (this.#tls.client.reports === undefined) return undefined
    const local = this.#session.stream.localAddress()
    return local === undefined || local.family === 'unix' ? undefined : local.address
  }

  async #fail(dsn: string, reason: string): Promise<false> {
    await this.#delivery.failSite(localFailure(dsn, reason))
    return false
  }
}
