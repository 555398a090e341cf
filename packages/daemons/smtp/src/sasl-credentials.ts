/**
 * sasl-credentials - smtp_sasl_password_maps: who we are to a server
 *
 *     key                        only with
 *     sender address, as below   smtp_sender_dependent_authentication, SMTP, and a sender
 *     host name of the server
 *     next-hop as written        [mail.example.com]:submission
 *
 * A sender is looked up as `user+ext@domain`, `user@domain`, for domains of ours `user+ext` and `user`, then `@domain`.
 * Source: Postfix 3.7 postconf(5), SASL_README.
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { MapList, type AddressResult, type AddressRules } from '@posthorn/tables/map-list'
import { readAddressRules } from './address-rules.ts'
import type { Protocol } from './client-options.ts'
import { LocalDataError } from './session.ts'
import { ownAddresses } from './start-client.ts'

export interface Login {
  readonly user: string
  readonly password: string
}

export class SaslCredentials {
  readonly #maps: MapList
  readonly #delimiter: string
  readonly #senderRules: AddressRules | undefined

  private constructor(maps: MapList, delimiter: string, senderRules: AddressRules | undefined) {
    this.#maps = maps
    this.#delimiter = delimiter
    this.#senderRules = senderRules
  }

  /** @throws {ConfigError} there are none, or they name no table */
  static open(config: MainConfig, protocol: Protocol): SaslCredentials {
    const parameter = `${protocol}_sasl_password_maps` as const
    const maps = MapList.open(parameter, config.text(parameter), { config })
    if (maps.isEmpty) {
      throw new ConfigError(
        `specify a password table via the \`${parameter}' configuration parameter`,
      )
    }
    const dependsOnSender =
      protocol === 'smtp' && config.boolean('smtp_sender_dependent_authentication')
    return new SaslCredentials(
      maps,
      config.text(`${protocol}_sasl_password_result_delimiter`),
      dependsOnSender ? readAddressRules(config, ownAddresses(config)) : undefined,
    )
  }

  get tables(): readonly LookupTable[] {
    return this.#maps.tables
  }

  /** @throws {LocalDataError} a table cannot be asked */
  async find(hostName: string, sender: string, nexthop: string): Promise<Login | undefined> {
    const value =
      (await this.#findSender(sender)) ??
      (await this.#find(hostName)) ??
      (await this.#find(nexthop))
    if (value === undefined) return undefined
    const end = value.indexOf(this.#delimiter)
    if (end < 0) return { user: value, password: '' }
    return { user: value.slice(0, end), password: value.slice(end + this.#delimiter.length) }
  }

  async #findSender(sender: string): Promise<string | undefined> {
    if (this.#senderRules === undefined || sender === '') return undefined
    return this.#valueOf(await this.#maps.findAddress(sender, this.#senderRules))
  }

  async #find(key: string): Promise<string | undefined> {
    return this.#valueOf(await this.#maps.find(key))
  }

  #valueOf(answer: Awaited<ReturnType<MapList['find']>> | AddressResult): string | undefined {
    if (answer.kind === 'tryAgain') throw new LocalDataError(`${this.#maps.title} lookup error`)
    return answer.kind === 'found' ? answer.value : undefined
  }
}
