/**
 * mailbox-routes - what main.cf sends elsewhere than to a mailbox
 *
 *     aliases ─▶ .forward ─▶ mailbox_transport(_maps) ─▶ mailbox_command(_maps) ─▶ mailbox
 *                                                        no such user ─▶ fallback_transport(_maps) ─▶ luser_relay
 *
 * A parameter with tables that override it for some users. Trusts: tables. Source: Postfix 3.7 local(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { RelayedStatus } from '@posthorn/delivery/delivery-status'
import { MapList } from '@posthorn/tables/map-list'

/** Why a recipient must wait. */
export type Wait = Omit<RelayedStatus, 'relay'>

const names = ['mailbox_transport', 'mailbox_command', 'fallback_transport'] as const

export type RouteName = (typeof names)[number]

export type RouteResult =
  /** `value` is empty when there is no such way for the user. */
  | { readonly kind: 'known'; readonly value: string }
  | { readonly kind: 'wait'; readonly wait: Wait }

export class MailboxRoutes {
  readonly #routes: ReadonlyMap<RouteName, { readonly value: string; readonly maps: MapList }>

  /** @throws {ConfigError} a parameter names no table */
  constructor(config: MainConfig) {
    // What is found becomes commands and services: no text from the address in it.
    const context = { config, forbidsSubstitution: true }
    this.#routes = new Map(
      names.map((name) => {
        const maps = MapList.open(`${name}_maps`, config.text(`${name}_maps`), context)
        return [name, { value: config.text(name), maps }]
      }),
    )
  }

  /** @param user folded; for `fallback_transport` and `mailbox_transport` it may be nobody's name */
  async find(name: RouteName, user: string): Promise<RouteResult> {
    const route = this.#routes.get(name)
    if (route === undefined) return { kind: 'known', value: '' }
    const answer = await route.maps.find(user)
    if (answer.kind === 'tryAgain') {
      return { kind: 'wait', wait: { dsn: '4.3.0', reason: 'table lookup failure' } }
    }
    return { kind: 'known', value: answer.kind === 'found' ? answer.value : route.value }
  }
}
