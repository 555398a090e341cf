/**
 * client-limits - how often one client may come and what it may do, counted by anvil(8)
 *
 * Counts are per service and client network (smtpd_client_ipv4_prefix_length and its sister), for all
 * processes of this mail system together. Without any limit configured anvil(8) is not asked at all; when it
 * cannot be asked, mail goes on. Clients in smtpd_client_event_limit_exceptions are not counted.
 * Source: Postfix 3.7 smtpd(8), anvil(8).
 */
import { log } from '@posthorn/log/log'
import { AnvilClient, type AnvilRateRequest } from '@posthorn/wire/anvil-protocol'
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
      this.#anvil = new AnvilClient({
        path: 'private/anvil',
        timeoutMs: config.seconds('ipc_timeout') * 1000,
      })
    }
  }

  /** A client has connected. 'refuse': over a limit, which has been logged. */
  async connected(client: SessionClient): Promise<'serve' | 'refuse'> {
    const ident = await this.#ident(client)
    if (ident === undefined) return 'serve'
    const counted = await this.#ask(async (anvil) => anvil.connect(ident))
    if (counted === undefined) return 'serve'
    const { connectionCount, connectionRate } = this.#limits
    if (connectionCount > 0 && counted.count > connectionCount) {
      this.#warn('Connection concurrency limit exceeded', counted.count, client)
      return 'refuse'
    }
    if (connectionRate > 0 && counted.rate > connectionRate) {
      this.#warn('Connection rate limit exceeded', counted.rate, client)
      return 'refuse'
    }
    return 'serve'
  }

  async disconnected(client: SessionClient): Promise<void> {
    const ident = await this.#ident(client)
    if (ident === undefined) return
    await this.#ask(async (anvil) => {
      await anvil.disconnect(ident)
      return undefined
    })
  }

  /** MAIL. */
  async message(client: SessionClient): Promise<'serve' | 'refuse'> {
    const what = 'Message delivery request rate limit exceeded'
    return this.#count('message', this.#limits.messageRate, what, client)
  }

  /** RCPT. */
  async recipient(client: SessionClient): Promise<'serve' | 'refuse'> {
    const what = 'Recipient address rate limit exceeded'
    return this.#count('recipient', this.#limits.recipientRate, what, client)
  }

  close(): void {
    this.#anvil?.close()
  }

  async #count(
    request: AnvilRateRequest,
    limit: number,
    what: string,
    client: SessionClient,
  ): Promise<'serve' | 'refuse'> {
    if (limit === 0) return 'serve'
    const ident = await this.#ident(client)
    if (ident === undefined) return 'serve'
    const rate = await this.#ask(async (anvil) => anvil.count(request, ident))
    if (rate === undefined || rate <= limit) return 'serve'
    this.#warn(what, rate, client)
    return 'refuse'
  }

  #warn(what: string, found: number, client: SessionClient): void {
    log.warning(`${what}: ${found} from ${client.label} for service ${this.#service}`)
  }

  /** Undefined for a client that nobody counts. */
  async #ident(client: SessionClient): Promise<string | undefined> {
    if (this.#anvil === undefined || client.address === 'unknown') return undefined
    const isException =
      (await this.#exceptions.matches(client.address)) ||
      (client.name !== 'unknown' && (await this.#exceptions.matches(client.name)))
    if (isException) return undefined
    const { ipv4Prefix, ipv6Prefix } = this.#limits
    const prefix = client.family === 'inet' ? ipv4Prefix : ipv6Prefix
    return `${this.#service}:${maskAddress(client.address, prefix)}`
  }

  async #ask<T>(request: (anvil: AnvilClient) => Promise<T>): Promise<T | undefined> {
    if (this.#anvil === undefined) return undefined
    try {
      return await request(this.#anvil)
    } catch (error) {
      log.warning(`anvil: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }
}
