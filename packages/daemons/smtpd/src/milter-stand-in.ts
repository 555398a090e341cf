/**
 * milter-stand-in - what happens to mail that Milters should see, while they cannot be asked
 *
 * To Milters that we cannot speak to, the same happens as to Milters that are away: the client comes again, or whatever
 * else milter_default_action says. Only `reject` becomes "come again": the Milter is not to blame, and we must not make mail
 * bounce. Source: Postfix 3.7 MILTER_README, smtpd_milter_maps in postconf(5).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import { MapList } from '@posthorn/tables/map-list'

export type MilterAction = 'accept' | 'tempfail' | 'quarantine'

export class MilterStandIn {
  readonly #action: MilterAction
  readonly #defaultAction: string
  readonly #maps: MapList

  /** @throws {ConfigError} smtpd_milter_maps names no table */
  constructor(config: MainConfig) {
    const isOff = config.flags('receive_override_options').has('no_milters')
    this.#defaultAction = config.text('milter_default_action')
    this.#action = isOff ? 'accept' : this.#actionOf(config.text('smtpd_milters'))
    this.#maps = MapList.open('smtpd_milter_maps', isOff ? '' : config.text('smtpd_milter_maps'), {
      config,
    })
  }

  /** @param address of the client */
  async actionFor(address: string): Promise<MilterAction> {
    const answer = await this.#maps.find(address)
    if (answer.kind === 'tryAgain') return 'tempfail'
    return answer.kind === 'found' ? this.#actionOf(answer.value) : this.#action
  }

  /** `inet:host:port`, or `{ inet:host:port, default_action=accept }`; the first that does not accept decides. */
  #actionOf(milters: string): MilterAction {
    if (milters === 'DISABLE') return 'accept'
    for (const item of splitList(milters)) {
      const own = /default_action\s*=\s*(\w+)/.exec(item)?.[1]
      const action = (own ?? this.#defaultAction).toLowerCase()
      if (action === 'accept') continue
      return action === 'quarantine' ? 'quarantine' : 'tempfail'
    }
    return 'accept'
  }
}
