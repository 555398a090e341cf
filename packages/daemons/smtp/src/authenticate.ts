/**
 * authenticate - AUTH: the client says who it is, where the server offers that and we have credentials for it
 *
 *     250-AUTH PLAIN CRAM-MD5
 *     C: AUTH CRAM-MD5
 *     S: 334 PDE4OTYuNjk3MTcw...
 *     C: dGltIGI5MTNhNjAyYzdl...
 *     S: 235 2.7.0 Authentication successful
 *
 * Without an offer or without credentials mail goes without; with both it goes as who we are, or not at all. A server that
 * has to prove itself and did not is a failure, whatever it says. A dialogue that we end is not cancelled with `*`: as
 * Postfix does, QUIT ends it. Unlike Postfix, neither the log nor a notice to the postmaster shows what the client said.
 *
 * Limits: 100 challenges, each within smtp_helo_timeout.
 * Sources: RFC 4954; Postfix 3.7 smtp(8), SASL_README.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { changeClass } from '@posthorn/delivery/delivery-status'
import { log } from '@posthorn/log/log'
import { printable } from '@posthorn/log/printable'
import { chooseMechanism } from '@posthorn/sasl/choose-mechanism'
import { badProtocol, SaslError, type Mechanism } from '@posthorn/sasl/mechanism'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { StringList } from '@posthorn/tables/match-list'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import { AuthCache, type Refusal } from './auth-cache.ts'
import type { Protocol } from './client-options.ts'
import type { Delivery } from './delivery.ts'
import { localFailure, type Failure } from './failure.ts'
import { FEATURES } from './features.ts'
import type { Reply } from './reply-parser.ts'
import { SaslCredentials, type Login } from './sasl-credentials.ts'
import { readSaslOptions, securityFor, type SaslOptions } from './sasl-options.ts'
import { LocalDataError, type Session } from './session.ts'

const STEP_LIMIT = 100
/** RFC 5321 4.5.3.1.4: octets of a command line, CRLF included. */
const COMMAND_LIMIT = 512

export class Authenticator {
  readonly #options: SaslOptions
  readonly #protocol: Protocol
  readonly #filter: StringList
  readonly #credentials: SaslCredentials
  readonly #cache: AuthCache | undefined

  private constructor(config: MainConfig, protocol: Protocol) {
    const filter = `${protocol}_sasl_mechanism_filter` as const
    this.#protocol = protocol
    this.#credentials = SaslCredentials.open(config, protocol)
    this.#options = readSaslOptions(config, protocol)
    this.#filter = StringList.open(filter, config.text(filter), { config })
    this.#cache = AuthCache.open(config, protocol)
  }

  /** Before the jail: it opens tables. Undefined: smtp_sasl_auth_enable = no. @throws {ConfigError} */
  static open(config: MainConfig, protocol: Protocol): Authenticator | undefined {
    if (!config.boolean(`${protocol}_sasl_auth_enable`)) return undefined
    return new Authenticator(config, protocol)
  }

  /** Those that may have changed. */
  get tables(): readonly LookupTable[] {
    return this.#credentials.tables
  }

  /** Why no mail goes on this connection; undefined: it may. @throws {LocalDataError} and errors of the dialogue, for Session.failureOf() */
  async authenticate(
    session: Session,
    delivery: Delivery,
    nexthop: string,
  ): Promise<Failure | undefined> {
    const offered = await this.offeredMechanisms(session)
    const login = await this.findCredentials(session, delivery.job.request.sender, nexthop)
    if (login === undefined) {
      session.features &= ~FEATURES.auth
      return undefined
    }
    const { host, hostText } = session
    if (offered.length === 0) {
      return localFailure(
        '4.7.0',
        `SASL authentication failed: server ${hostText} offered no compatible authentication ` +
          'mechanisms for this type of connection security',
      )
    }
    const cached = await this.#cache?.find(host.name, login)
    if (cached !== undefined) {
      return this.#refused(host.name, cached, `[CACHED] authentication failed; server ${host.name}`)
    }
    try {
      return await this.#authenticateAs(login, session, offered)
    } catch (error) {
      if (!(error instanceof SaslError)) throw error
      if (error.detail !== undefined) log.warning(`SASL authentication failure: ${error.detail}`)
      return cannot(hostText, error.message)
    }
  }

  async #authenticateAs(
    login: Login,
    session: Session,
    offered: readonly string[],
  ): Promise<Failure | undefined> {
    const create = chooseMechanism(offered, securityFor(this.#options, session.tlsContext))
    if (create === undefined) throw new SaslError('no mechanism available', 'No worthy mechs found')
    const { host } = session
    const mechanism = create({
      ...login,
      authorization: this.#options.sendsAuthorization ? login.user : '',
      host: host.name,
      port: host.port,
      service: this.#protocol,
    })
    return this.#converse(session, mechanism, login)
  }

  /** What is left of the server's offer. @throws {LocalDataError} */
  async offeredMechanisms(session: Session): Promise<string[]> {
    const words = [...new Set(session.authWords)]
    if (words.length === 0) {
      log.warning(`${session.endpointText} offered null AUTH mechanism list`)
      return []
    }
    if (this.#filter.isEmpty) return words
    try {
      const offered: string[] = []
      for (const word of words) if (await this.#filter.matches(word)) offered.push(word)
      if (offered.length === 0) {
        log.warning(
          `${session.endpointText} offered no supported AUTH mechanisms: '${words.join(' ')}'`,
        )
      }
      return offered
    } catch (error) {
      if (!(error instanceof TableUnavailableError)) throw error
      throw new LocalDataError(error.message)
    }
  }

  /** @throws {LocalDataError} */
  async findCredentials(
    session: Session,
    sender: string,
    nexthop: string,
  ): Promise<Login | undefined> {
    return this.#credentials.find(session.host.name, sender, nexthop)
  }

  async #converse(
    session: Session,
    mechanism: Mechanism,
    login: Login,
  ): Promise<Failure | undefined> {
    let held = encode(mechanism.initial() ?? '')
    const isShort = mechanism.name.length + held.length + 8 <= COMMAND_LIMIT
    const command = `AUTH ${mechanism.name}`
    let reply: Reply
    if (held !== '' && isShort) {
      reply = await this.#ask(session, `${command} ${held}`, `${command} ...`)
      held = ''
    } else reply = await this.#ask(session, command, command)
    for (let step = 0; hundreds(reply) === 3; step++) {
      if (step === STEP_LIMIT) {
        const text = `authentication protocol loop with server ${session.hostText}`
        return saslFailure('4.3.0', text, 'protocol error')
      }
      const challenge = challengeOf(reply)
      if (held === '') reply = await this.#ask(session, encode(await mechanism.respond(challenge)))
      else if (challenge === '') {
        reply = await this.#ask(session, held)
        held = ''
      } else {
        const text = `non-empty initial ${mechanism.name} challenge from server ${session.hostText}`
        return saslFailure('4.7.0', `${text}: ${printable(challenge)}`, 'protocol error')
      }
    }
    if (hundreds(reply) === 2) {
      if (mechanism.isComplete) return undefined
      const detail = `${mechanism.name}: the server has not proved that it knows the password`
      throw new SaslError('server failed mutual authentication step', detail)
    }
    const { host, hostText } = session
    if (reply.code === 535) await this.#cache?.save(host.name, login, reply)
    return this.#refused(host.name, reply, `authentication failed; server ${hostText}`)
  }

  /** A notice to the postmaster is no place for a password: there the line is `shown`. */
  async #ask(session: Session, line: string, shown = '...'): Promise<Reply> {
    session.begin(session.stage, this.#options.timeoutMs)
    session.send(line, shown)
    return session.readReply()
  }

  #refused(hostName: string, { dsn, text, code }: Refusal, who: string): Failure {
    const isSoft = this.#options.isSoftBounce && Math.floor(code / 100) === 5
    return {
      dsn: isSoft ? changeClass(dsn, '4') : dsn,
      reason: `SASL ${who} said: ${text}`,
      diagnosticType: this.#protocol,
      diagnosticText: text,
      remoteMtaType: 'dns',
      remoteMtaName: hostName,
    }
  }
}

/** What is wrong is the dialogue. */
function saslFailure(dsn: string, text: string, diagnosticText: string): Failure {
  const reason = `SASL authentication failed; ${text}`
  return { dsn, reason, diagnosticType: 'x-sasl', diagnosticText }
}

function cannot(hostText: string, reason: string): Failure {
  return saslFailure('4.7.0', `cannot authenticate to server ${hostText}: ${reason}`, reason)
}

function hundreds({ code }: Reply): number {
  return Math.floor(code / 100)
}

function encode(octets: string): string {
  return Buffer.from(octets, 'latin1').toString('base64')
}

/** Of one line. @throws {SaslError} it is not base64 (RFC 4648 4) */
function challengeOf(reply: Reply): string {
  const text = reply.text.slice('334 '.length)
  const octets = Buffer.from(text, 'base64')
  if (octets.toString('base64') !== text) throw badProtocol('a challenge that is not base64')
  return octets.toString('latin1')
}
