/**
 * tls-policy - what TLS must be like with one server of one destination
 *
 * A policy starts as what smtp_tls_policy_maps, smtp_tls_per_site or main.cf say (TlsRequest), and is completed for the
 * server at hand: protocols and ciphers of its level, names to match, fingerprints, trust anchors, server name to ask for.
 * Source: Postfix 3.7 postconf(5) smtp_tls_policy_maps, TLS_README.
 */
import { isValidHostname } from '@posthorn/address/hostname'
import { log } from '@posthorn/log/log'
import { TLS_LEVELS, type DaneAnchors, type TlsClientStart } from '@posthorn/wire/tlsproxy-protocol'
import type { TlsrptFailureCode, TlsrptPolicyType } from '@posthorn/wire/tlsrpt-protocol'
import { localFailure, type Failure } from './failure.ts'
import { describeEndpoint, type ServerHost } from './server-host.ts'
import type { StsPolicy } from './sts-policy.ts'
import { isTlsRequired, type TlsOptions, type TlsReuse } from './tls-options.ts'

/** As configured; undefined: what main.cf says for the level. */
export interface TlsRequest {
  readonly level: number
  readonly protocols?: string
  readonly grade?: string
  readonly exclusions?: string
  readonly serverName?: string
  /** Words as hostname and nexthop, or fingerprints. */
  readonly match?: readonly string[]
  readonly anchorFiles?: readonly string[]
  readonly reuse?: TlsReuse
  /** Where it comes from an MTA-STS plugin that says so. */
  readonly sts?: StsPolicy
}

/** Why a policy was not satisfied (RFC 8460 4.3). */
export interface TlsFault {
  readonly code: TlsrptFailureCode
  /** More about it, in a few words. */
  readonly reason?: string
}

/** What reports to the destination say about the policy (RFC 8460 4.4). */
export interface AppliedPolicy {
  readonly type: TlsrptPolicyType
  readonly domain: string
  /** Lines of an STS policy, or TLSA records. */
  readonly strings: readonly string[]
  readonly mxHostPatterns: readonly string[]
  /** Seen before any handshake, and not mended by one. */
  readonly fault?: TlsFault
}

/** Complete. */
export interface TlsPolicy {
  /** TLS_LEVELS, never `invalid`. */
  readonly level: number
  readonly protocols: string
  readonly grade: string
  readonly exclusions: string
  /** Empty: none is asked for. */
  readonly sni: string
  readonly matches: readonly string[]
  readonly anchors: DaneAnchors | undefined
  readonly reuse: TlsReuse
  /** Absent: without TLS. */
  readonly applied?: AppliedPolicy
}

/** The destination, and one of its servers. */
export interface TlsTarget {
  /** As written; the path of a Unix socket. */
  readonly element: string
  /** The name to verify: without brackets and port; $myhostname for a Unix socket. */
  readonly domain: string
  readonly host: ServerHost
}

/** No mail to this server now. */
export class TlsPolicyError extends Error {
  readonly code = 'POSTHORN_TLS_POLICY'
  readonly failure: Failure
  /** With the fault in it; absent: the destination has no part in it. */
  readonly applied: AppliedPolicy | undefined

  constructor(dsn: string, reason: string, applied?: AppliedPolicy) {
    super(reason)
    this.failure = localFailure(dsn, reason)
    this.applied = applied
  }
}

export function badTlsConfiguration(): TlsPolicyError {
  return new TlsPolicyError('4.7.5', 'client TLS configuration problem')
}

export const NO_TLS: TlsPolicy = {
  level: TLS_LEVELS.none,
  protocols: '',
  grade: '',
  exclusions: '',
  sni: '',
  matches: [],
  anchors: undefined,
  reuse: 'no',
}

/** What DANE found out, in place of names and anchors of the configuration. */
export interface DaneFindings {
  readonly level: number
  readonly anchors?: DaneAnchors
  readonly matches?: readonly string[]
  /** Absent: there are no records. */
  readonly applied?: AppliedPolicy
}

/**
 * Defaults of the level for what is not asked for. The level is not one of DANE unless `dane` says so.
 *
 * @throws {TlsPolicyError} it cannot be done; why has been logged
 */
export async function completePolicy(
  request: TlsRequest,
  target: TlsTarget,
  options: TlsOptions,
  dane?: DaneFindings,
): Promise<TlsPolicy> {
  const level = dane?.level ?? request.level
  if (level === TLS_LEVELS.none) return NO_TLS
  const rules = isTlsRequired(level) ? options.mandatory : options.optional
  const base = {
    level,
    protocols: request.protocols ?? rules.protocols,
    grade: request.grade ?? rules.grade,
    exclusions: cipherExclusions(level, request.exclusions, options),
    reuse: request.reuse ?? options.reuse,
    sni: '',
    matches: [],
    anchors: undefined,
  }
  if (dane?.anchors !== undefined) {
    const { anchors, matches = [] } = dane
    return { ...base, anchors, matches, sni: anchors.domain }
  }
  // RFC 8461 7.1: the server is asked for the name that its certificate has to have
  const isSts = request.sts?.type === 'sts'
  const sni = serverName(request.serverName ?? (isSts ? 'hostname' : undefined), target, options)
  switch (level) {
    case TLS_LEVELS.fingerprint:
      return { ...base, sni, anchors: await readFingerprints(request, target, options) }
    case TLS_LEVELS.verify:
    case TLS_LEVELS.secure: {
      const defaults = level === TLS_LEVELS.verify ? options.verifyMatch : options.secureMatch
      const matches = (request.match ?? defaults).map((word) => matchName(word, target))
      const anchors = await readAnchors(request.anchorFiles ?? options.anchorFiles, options)
      return { ...base, sni, matches, anchors }
    }
    default:
      return { ...base, sni }
  }
}

function cipherExclusions(level: number, own: string | undefined, options: TlsOptions): string {
  const configured = isTlsRequired(level)
    ? [options.exclusions, options.mandatoryExclusions]
    : [options.exclusions]
  const parts = own === undefined ? configured : [own]
  // without encryption there is no TLS to speak of; without authentication there is nothing to match
  if (level === TLS_LEVELS.encrypt) parts.push('eNULL')
  else if (level > TLS_LEVELS.encrypt) parts.push('aNULL')
  return parts.filter((part) => part !== '').join(' ')
}

function matchName(word: string, { domain, host }: TlsTarget): string {
  switch (word.toLowerCase()) {
    case 'nexthop':
      return domain
    case 'dot-nexthop':
      return `.${domain}`
    case 'hostname':
      return host.name
    default:
      return word
  }
}

/** `own`: of the policy, where it is known to be good. */
function serverName(
  own: string | undefined,
  { domain, host }: TlsTarget,
  { serverName, init }: TlsOptions,
): string {
  const word = own ?? serverName
  switch (word.toLowerCase()) {
    case '':
      return ''
    case 'hostname':
      return host.name
    case 'nexthop':
      return domain
    default:
      if (isValidHostname(word)) return word
      log.warning(`"${init.cacheType}_tls_servername = ${word}" specifies an invalid hostname`)
      throw badTlsConfiguration()
  }
}

async function readFingerprints(
  { match }: TlsRequest,
  { element }: TlsTarget,
  options: TlsOptions,
): Promise<DaneAnchors> {
  const { fingerprintAnchors } = await import('@posthorn/tls/fingerprint')
  const anchors = fingerprintAnchors(match ?? options.fingerprints, options.logsRecords)
  if (anchors.records.length > 0) return anchors
  log.warning(
    `nexthop domain ${element}: configured at fingerprint security level, but with no fingerprints to match.`,
  )
  throw badTlsConfiguration()
}

/** Read in the jail and as mail_owner, as postconf(5) says, and anew for each request. */
async function readAnchors(
  files: readonly string[],
  options: TlsOptions,
): Promise<DaneAnchors | undefined> {
  if (files.length === 0) return undefined
  const { readTrustAnchors } = await import('@posthorn/tls/trust-anchor-file')
  const anchors = await readTrustAnchors(files, options.logsRecords)
  if (anchors === undefined) throw badTlsConfiguration()
  return anchors
}

/** What the TLS engine is told about a connection. `service` and the target are in the key of its session cache. */
export function tlsStart(
  policy: TlsPolicy,
  target: TlsTarget,
  options: TlsOptions,
  { service, heloName }: { service: string; heloName: string },
): TlsClientStart {
  const { host, element, domain } = target
  return {
    timeoutSeconds: options.timeoutSeconds,
    level: policy.level,
    nexthop: domain,
    host: host.name,
    // as the real one writes it, whatever the name is like elsewhere
    peer: describeEndpoint(host).toLowerCase(),
    sni: policy.sni,
    serverId: `${service}&${element}&${host.name}&${host.address}&`,
    helo: heloName,
    protocols: policy.protocols,
    cipherGrade: policy.grade,
    cipherExclusions: policy.exclusions,
    matches: policy.matches,
    digest: options.init.digest,
    anchors: policy.anchors,
  }
}
