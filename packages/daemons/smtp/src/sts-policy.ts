/**
 * sts-policy - what an MTA-STS policy means for the connection to one server (RFC 8461)
 *
 * The policy comes from smtp_tls_policy_maps, with attributes of Postfix 3.10 (sts-attributes.ts):
 *
 *   mode enforce    a level that checks certificates   the MX host matches a pattern, its certificate the host, or no mail
 *   mode testing    level may                          delivery as main.cf has it; a report says what would have become of it
 *
 * With smtp_tls_enforce_sts_mx_patterns = no, or where the policy tells no patterns, the names of its `match` count instead,
 * as in Postfix before 3.10.5. Source: RFC 8461 4.1, 4.2, 5; Postfix 3.10 TLSRPT_README, postconf(5).
 */
import type { TlsrptFailureCode, TlsrptPolicyType } from '@posthorn/wire/tlsrpt-protocol'
import type { ServerHost } from './server-host.ts'
import { isDaneLevel, needsMatch, type TlsOptions } from './tls-options.ts'
import {
  TlsPolicyError,
  type AppliedPolicy,
  type TlsFault,
  type TlsRequest,
  type TlsTarget,
} from './tls-policy.ts'

/** As looked up. */
export interface StsPolicy {
  readonly type: Exclude<TlsrptPolicyType, 'tlsa'>
  /** Undefined: that of the destination. */
  readonly domain?: string
  /** Lines of the policy. */
  readonly strings: readonly string[]
  /** Host names; `*.` stands for one label. */
  readonly mxHostPatterns: readonly string[]
  /** There is something wrong with the policy itself: it cannot be satisfied. */
  readonly failure?: TlsrptFailureCode
}

/** RFC 8461 4.1: as in RFC 6125, letter case does not matter, and `*` is one label, the left-most. */
export function matchesMxPattern(hostName: string, pattern: string): boolean {
  const host = hostName.toLowerCase()
  const wanted = pattern.toLowerCase()
  if (!wanted.startsWith('*.')) return host === wanted
  const dot = host.indexOf('.')
  return dot > 0 && host.slice(dot) === wanted.slice(1)
}

/** What the reports are told of it; `host`: the server at hand. */
export function appliedSts(
  sts: StsPolicy,
  { domain, host }: TlsTarget,
  options: Pick<TlsOptions, 'enforcesMxPatterns'>,
): AppliedPolicy {
  const { type, strings, mxHostPatterns } = sts
  const fault = findFault(sts, host, options)
  const applied = { type, domain: sts.domain ?? domain, strings, mxHostPatterns }
  return fault === undefined ? applied : { ...applied, fault }
}

/**
 * The request as this server has to satisfy it.
 *
 * @throws {TlsPolicyError} no mail to this server now
 */
export function applySts(
  request: TlsRequest,
  applied: AppliedPolicy,
  { host }: TlsTarget,
  options: TlsOptions,
): TlsRequest {
  if (!needsMatch(request.level)) {
    // RFC 8461 5: in mode testing mail goes as it would without a policy; of DANE the caller has made what it could
    const level = isDaneLevel(options.level) ? request.level : options.level
    return { ...request, level: Math.max(request.level, level) }
  }
  const { fault, domain, mxHostPatterns } = applied
  if (fault !== undefined) {
    const what = `MX host ${host.name} does not satisfy the MTA-STS policy of ${domain}`
    throw new TlsPolicyError('4.7.5', `${what}: ${fault.reason ?? fault.code}`, applied)
  }
  if (!options.enforcesMxPatterns || mxHostPatterns.length === 0) return request
  return { ...request, match: ['hostname'] }
}

function findFault(
  { failure, mxHostPatterns }: StsPolicy,
  host: ServerHost,
  { enforcesMxPatterns }: Pick<TlsOptions, 'enforcesMxPatterns'>,
): TlsFault | undefined {
  if (failure !== undefined) return { code: failure }
  if (!enforcesMxPatterns || mxHostPatterns.length === 0) return undefined
  if (mxHostPatterns.some((pattern) => matchesMxPattern(host.name, pattern))) return undefined
  return { code: 'validation-failure', reason: 'no mx pattern matches' }
}
