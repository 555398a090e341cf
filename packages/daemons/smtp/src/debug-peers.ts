/**
 * debug-peers - whose sessions are written to the log: those of debug_peer_list, and all with -v
 *
 *     > HOST[ADDRESS]:PORT: what we say
 *     < HOST[ADDRESS]:PORT: what the server says
 *
 * Without passwords (Session.send()). The level of detail (debug_peer_level) makes no difference; Postfix says more of itself.
 * Source: Postfix 3.7 postconf(5), debug_peer_list.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { AddressList } from '@posthorn/tables/match-list'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import type { ServerHost } from './server-host.ts'

export type IsDebugPeer = (nexthop: string, host: ServerHost) => Promise<boolean>

export const everyPeer: IsDebugPeer = async () => Promise.resolve(true)

/** Undefined: the parameter is empty. */
export function openDebugPeers(config: MainConfig): IsDebugPeer | undefined {
  const name = 'debug_peer_list'
  const list = AddressList.open(name, config.text(name), { config })
  if (list.isEmpty) return undefined
  const matches = async (address: string, name: string): Promise<boolean> => {
    try {
      return await list.matches(address, name)
    } catch (error) {
      if (!(error instanceof TableUnavailableError)) throw error
      return false // the list has warned, and the mail does not depend on it
    }
  }
  return async (nexthop, host) => {
    const domain = withoutPort(nexthop)
    return (await matches(domain, domain)) || matches(host.address, host.name)
  }
}

/** `[mx.a.test]:26` is known as mx.a.test. */
function withoutPort(nexthop: string): string {
  const [, bracketed, bare] = /^(?:\[(?:ipv6:)?(.*?)\].*|(.*?)(?::[^:]*)?)$/i.exec(nexthop) ?? []
  return bracketed ?? bare ?? nexthop
}
