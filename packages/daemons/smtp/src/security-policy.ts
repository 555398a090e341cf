/**
 * security-policy - does a destination ask for what this client cannot do
 *
 * TLS and SASL are not built in yet. A destination whose policy does not insist on TLS gets mail in plaintext; where TLS
 * is required, or where credentials are configured that we could not use, mail waits: sent without them it would be
 * exposed or bounced.
 */
import type { ClientOptions } from './client-options.ts'
import { localFailure, type Failure } from './failure.ts'
import type { Nexthop } from './nexthop.ts'
import { LocalDataError } from './session.ts'
import type { ClientTables } from './smtp-client.ts'

/** Numbers as in cache labels. */
const LEVELS = ['none', 'may']

/** Of the sessions that we make. */
export function tlsLevelNumber(options: ClientOptions): number {
  return Math.max(0, LEVELS.indexOf(options.tls))
}

/** Why mail for this next-hop must wait; undefined: it need not. */
export async function findUnsupported(
  options: ClientOptions,
  tables: ClientTables,
  nexthop: Nexthop,
): Promise<Failure | undefined> {
  try {
    return await findTrouble(options, tables, nexthop)
  } catch (error) {
    if (error instanceof LocalDataError) return localFailure('4.3.0', 'Temporary lookup error')
    throw error
  }
}

async function findTrouble(
  options: ClientOptions,
  tables: ClientTables,
  nexthop: Nexthop,
): Promise<Failure | undefined> {
  const policy = await tables.findTlsPolicy?.(nexthop.element)
  const level = policy?.trim().split(/[\s,]+/)[0] ?? options.tls
  if (!LEVELS.includes(level)) {
    return localFailure('4.7.5', 'TLS is required, but our TLS engine is unavailable')
  }
  const password =
    (await tables.findPassword?.(nexthop.host)) ?? (await tables.findPassword?.(nexthop.element))
  if (password === undefined) return undefined
  const text = 'SASL authentication is configured, but our SASL engine is unavailable'
  return localFailure('4.7.0', text)
}
