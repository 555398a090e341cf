/**
 * client-limits - how often one client may come and what it may do, counted by anvil(8)
 *
 * Counts are per service and client network (smtpd_client_ipv4_prefix_length and its sister), for all
 * processes of this mail system together. Without any limit configured anvil(8) is not asked at all; when it
 * cannot be asked, mail goes on. Clients in smtpd_client_event_limit_exceptions are not counted.
 * Source: Postfix 3.7 smtpd(8), anvil(8).
 */
import { log } from '@posthorn/log/log'
import {
  AnvilClient,
  type AnvilRateRequest,
  type AnvilSession,
} from '@posthorn/wire/anvil-protocol'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import { ServiceError } from '@posthorn/wire/wire-error'
import type { MainConfig } from '@posthorn/config/main-config'
import type { AddressList } from '@posthorn/tables/match-list'
import { maskAddress } from './mask-address.ts'
import type { SessionClient } from './session-client.ts'

interface Limits {
  connectionCount: number
  connectionRate: number
  messageRate: number
  recipientRate: number
  ipv4Prefix: number
  ipv6Prefix: number
}

export class ClientLimits {
  readonly #limits: Limits
  readonly #exceptions: AddressList
  readonly #service: string
  readonly #anvil: AnvilClient | undefined

  constructor(config: MainConfig, service: string, exceptions: AddressList) {
    const limits = {
      connectionCount: config.integer('smtpd_client_connection_count_limit'),
      connectionRate: config.integer('smtpd_client_connection_rate_limit'),
      messageRate: config.integer('smtpd_client_message_rate_limit'),
      recipientRate: config.integer('smtpd_client_recipient_rate_limit'),
      ipv4Prefix: config.integer('smtpd_client_ipv4_prefix_length'),
      ipv6Prefix: config.integer('smtpd_client_ipv6_prefix_length'),
    }
    this.#limits = limits
    this.#exceptions = exceptions
    this.#service = service
    const isNeeded =
      limits.connectionCount > 0 ||
      limits.connectionRate > 0 ||
      limits.messageRate > 0 ||
      limits.recipientRate > 0
    if (isNeeded) {
      const timeoutMs = config.seconds('ipc_timeout') * 1000
      this.#anvil = new AnvilClient({ path: 'private/anvil', timeoutMs })
    }
  }

  /** The counter of one connection; `end` it when the client leaves. */
  async counterFor(client: SessionClient): Promise<ClientCounter> {
    if (this.#anvil === undefined || (await this.#isException(client))) return uncounted
    const { ipv4Prefix, ipv6Prefix } = this.#limits
    const prefix = client.family === 'inet' ? ipv4Prefix : ipv6Prefix
    const ident = `${this.#service}:${maskAddress(client.address, prefix)}`
    return new ClientCounter(
      this.#limits,
      `${client.label} for service ${this.#service}`,
      this.#anvil.session(ident),
    )
  }

  async #isException(client: SessionClient): Promise<boolean> {
    try {
      return await this.#exceptions.matches(client.address, client.name)
    } catch (error) {
      if (error instanceof TableUnavailableError) return false
      throw error
    }
  }
}

export class ClientCounter {
  readonly #limits: Limits
  readonly #who: string
  readonly #anvil: AnvilSession | undefined

  constructor(limits: Limits, who: string, anvil: AnvilSession | undefined) {
    this.#limits = limits
    this.#who = who
    this.#anvil = anvil
  }

  /** The client has connected. 'refuse': over a limit, which has been logged. */
  async connected(): Promise<'serve' | 'refuse'> {
    const counted = await this.#ask(async (anvil) => anvil.connect())
    if (counted === undefined) return 'serve'
    const { connectionCount, connectionRate } = this.#limits
    if (connectionCount > 0 && counted.count > connectionCount) {
      this.#warn('Connection concurrency limit exceeded', counted.count)
      return 'refuse'
    }
    if (connectionRate > 0 && counted.rate > connectionRate) {
      this.#warn('Connection rate limit exceeded', counted.rate)
      return 'refuse'
    }
    return 'serve'
  }

  /** MAIL. */
  async message(): Promise<'serve' | 'refuse'> {
    const what = 'Message delivery request rate limit exceeded'
    return this.#count('message', this.#limits.messageRate, what)
  }

  /** RCPT. */
  async recipient(): Promise<'serve' | 'refuse'> {
    const what = 'Recipient address rate limit exceeded'
    return this.#count('recipient', this.#limits.recipientRate, what)
  }

  /** The client has left. */
  async end(): Promise<void> {
    await this.#ask(async (anvil) => anvil.end())
  }

  async #count(
    request: AnvilRateRequest,
    limit: number,
    what: string,
  ): Promise<'serve' | 'refuse'> {
    if (limit === 0) return 'serve'
    const rate = await this.#ask(async (anvil) => anvil.count(request))
    if (rate === undefined || rate <= limit) return 'serve'
    this.#warn(what, rate)
    return 'refuse'
  }

  #warn(what: string, found: number): void {
    log.warning(`${what}: ${found} from ${this.#who}`)
  }

  async #ask<T>(request: (anvil: AnvilSession) => Promise<T>): Promise<T | undefined> {
    if (this.#anvil === undefined) return undefined
    try {
      return await request(this.#anvil)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      log.warning(`problem talking to service anvil: ${error.message}`)
      return undefined
    }
  }
}

const noLimits: Limits = {
  connectionCount: 0,
  connectionRate: 0,
  messageRate: 0,
  recipientRate: 0,
  ipv4Prefix: 32,
  ipv6Prefix: 128,
}

/** For a client that nobody counts. */
export const uncounted = new ClientCounter(noLimits, '', undefined)
