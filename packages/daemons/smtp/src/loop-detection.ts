/**
 * loop-detection - does a destination's mail lead back to us
 *
 * A server of the destination that is ourselves ends the list: mail goes only to servers that are preferred to us
 * (RFC 5321 5.1). Only for port 25, where all mail of the world arrives.
 * Source: Postfix 3.7.
 */
import { localFailure, type Failure } from './failure.ts'
import { canonicalAddress } from '@posthorn/address/own-addresses'
import type { FoundServers } from './address-lookup.ts'
import type { ServerHost } from './server-host.ts'

const SMTP_PORT = 25

export interface LoopFreeServers {
  hosts: readonly ServerHost[]
  /** We are among the servers: no other next-hop may be tried after this one. */
  isFinal: boolean
  /** No host is left. */
  failure?: Failure
}

/** `hosts` of `found` are sorted by preference. */
export function removeLoops(
  found: FoundServers,
  destination: string,
  ownAddresses: ReadonlySet<string>,
): LoopFreeServers {
  const { hosts, isFromMx, bestPreference } = found
  const own = hosts.find(
    ({ address, port }) => port === SMTP_PORT && ownAddresses.has(canonicalAddress(address)),
  )
  if (own === undefined) return { hosts, isFinal: false }
  if (isFromMx) {
    const better = hosts.filter((host) => host.preference < own.preference)
    if (better.length > 0) return { hosts: better, isFinal: true }
    if (own.preference > bestPreference) {
      const failure = localFailure('4.4.4', `unable to find primary relay for ${destination}`)
      return { hosts: [], isFinal: true, failure }
    }
  }
  const failure = localFailure('5.4.6', `mail for ${destination} loops back to myself`)
  return { hosts: [], isFinal: true, failure }
}
