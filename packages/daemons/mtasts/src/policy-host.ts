/**
 * policy-host - where the policy host of a domain is, and whether a certificate is its own
 *
 * Addresses come from DNS alone: what /etc/hosts says about a stranger's name does not matter.
 * Limit: 3 addresses of each kind are tried.
 * Source: RFC 8461 3.3.
 */
import { X509Certificate } from 'node:crypto'
import type { LookupFunction } from 'node:net'
import type { Resolver } from '@posthorn/dns/resolver'
import { PolicyError } from './mtasts-error.ts'

const ADDRESS_LIMIT = 3

/** RFC 8461 3.3: a DNS-ID, whose left-most label may be `*` alone; a common name is none. */
const NAME_RULES = {
  subject: 'never',
  wildcards: true,
  partialWildcards: false,
  multiLabelWildcards: false,
  singleLabelSubdomains: false,
} as const

export interface HostAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** `families`: those of inet_protocols. @throws {PolicyError} there is none */
export async function findAddresses(
  resolver: Resolver,
  host: string,
  families: ReadonlySet<4 | 6>,
): Promise<readonly HostAddress[]> {
  const [v6, v4] = await Promise.all([
    families.has(6) ? resolver.query(host, 'AAAA') : undefined,
    families.has(4) ? resolver.query(host, 'A') : undefined,
  ])
  const found: HostAddress[] = []
  for (const [family, answer] of [
    [6, v6],
    [4, v4],
  ] as const) {
    if (answer?.kind !== 'found') continue
    const records = answer.records.slice(0, ADDRESS_LIMIT)
    found.push(...records.map(({ address }) => ({ address, family })))
  }
  if (found.length > 0) return found
  const missing = [v4, v6].find((answer) => answer !== undefined && answer.kind !== 'found')
  const reason = missing !== undefined && 'reason' in missing ? missing.reason : 'no address'
  throw new PolicyError('sts-policy-fetch-error', `${host}: ${reason}`)
}

/** For node:net: these addresses, whatever the name. */
export function lookupOf(addresses: readonly HostAddress[]): LookupFunction {
  return (_host, { all = false }, callback) => {
    const [first] = addresses
    if (all) callback(null, [...addresses])
    else callback(null, first?.address ?? '', first?.family)
  }
}

export function isCertificateOf(host: string, certificate: Buffer): boolean {
  return new X509Certificate(certificate).checkHost(host, NAME_RULES) !== undefined
}
