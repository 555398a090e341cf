/**
 * tls-policies - finds the TLS policy for a server, and remembers it for the time of one delivery request
 *
 *   smtp_tls_policy_maps   the whole answer where the destination is in it
 *   smtp_tls_per_site      only without policy maps
 *   main.cf                else
 *
 * A policy of MTA-STS, which only smtp_tls_policy_maps knows, does not replace DANE where main.cf asks for that:
 *
 *   smtp_tls_security_level   TLSA records of a validated host   TLSA look-up failed   else
 *   dane                      DANE                               no delivery           MTA-STS, or what is stronger in mode testing
 *   dane-only                 DANE                               no delivery           no delivery
 *
 * A new one for each request: tables and DNS may say something else the next time.
 */
import { log } from '@posthorn/log/log'
import type { MapList } from '@posthorn/tables/map-list'
import { TLS_LEVELS } from '@posthorn/wire/tlsproxy-protocol'
import type { Delivery } from './delivery.ts'
import { findDane, type DaneContext } from './dane-policy.ts'
import type { SmtpClient } from './smtp-client.ts'
import type { TlsClient } from './start-tls.ts'
import { appliedSts, applySts } from './sts-policy.ts'
import { isDaneLevel, isTlsRequired, needsMatch } from './tls-options.ts'
import type { TlsWish } from './require-tls.ts'
import { findSitePolicy } from './tls-per-site.ts'
import { findMappedPolicy } from './tls-policy-maps.ts'
import {
  badTlsConfiguration,
  completePolicy,
  NO_TLS,
  TlsPolicyError,
  type AppliedPolicy,
  type TlsPolicy,
  type TlsRequest,
  type TlsTarget,
} from './tls-policy.ts'
import type { TlsReports } from './tls-reports.ts'

export interface TlsTables {
  readonly policyMaps: MapList
  readonly perSite: MapList
}

type Outcome = TlsPolicy | TlsPolicyError

export class TlsPolicies {
  readonly #tables: TlsTables
  readonly #context: DaneContext
  readonly #reports: TlsReports | undefined
  readonly #wish: Pick<TlsWish, 'demand'>
  readonly #known = new Map<string, Promise<Outcome>>()

  constructor(
    tls: TlsClient,
    client: Pick<SmtpClient, 'options' | 'lookup'>,
    wish: Pick<TlsWish, 'demand'>,
  ) {
    const { options, lookup } = client
    this.#tables = tls.tables
    this.#wish = wish
    this.#reports = tls.reports
    this.#context = { client: options, tls: tls.options, lookup, probe: tls.probe }
  }

  /** Undefined: no mail to this server now; why has been logged, with `error` in it, and `delivery` knows it. */
  async findFor(
    delivery: Pick<Delivery, 'lastFailure'>,
    target: TlsTarget,
    error = '',
  ): Promise<TlsPolicy | undefined> {
    const policy = await this.#find(target)
    if (policy instanceof TlsPolicyError) {
      const { element, host } = target
      const where = host.port === 0 ? `${host.name}/${element}` : `${element}/${host.name}`
      log.warning(`TLS policy lookup${error} for ${where}: ${policy.message}`)
      delivery.lastFailure = policy.failure
      return undefined
    }
    if (this.#context.tls.usesWrapper && !isTlsRequired(policy.level)) {
      log.warning('smtp_tls_wrappermode requires "smtp_tls_security_level = encrypt" (or stronger)')
      return undefined
    }
    return policy
  }

  /** LMTP over a Unix socket: nobody listens there, so that TLS is for who insists on it. */
  async findForPath(delivery: Delivery, target: TlsTarget): Promise<TlsPolicy | undefined> {
    const policy = await this.findFor(delivery, target, ' error')
    if (policy?.level !== TLS_LEVELS.may) return policy
    log.warning(
      'smtp_connect_local: opportunistic TLS encryption is not appropriate for unix-domain destinations.',
    )
    return NO_TLS
  }

  /** Never rejects for want of a policy: the error says why there is none, once more each time. */
  async #find(target: TlsTarget): Promise<Outcome> {
    const { element, host } = target
    const key = `${element}\n${host.name}\n${host.port}`
    let outcome = this.#known.get(key)
    if (outcome === undefined) {
      const { demand } = this.#wish
      const composed = demand === 'may' ? this.#composeLowered(target) : this.#compose(target)
      outcome = composed.catch((error: unknown) => {
        if (!(error instanceof TlsPolicyError)) throw error
        this.#reports?.tell(target, error.applied, error.applied?.fault)
        return error
      })
      this.#known.set(key, outcome)
    }
    return outcome
  }

  async #compose(target: TlsTarget): Promise<TlsPolicy> {
    const { tls } = this.#context
    const found = await this.#request(target)
    const plugin = found.sts && appliedSts(found.sts, target, tls)
    const sts = found.sts?.type === 'sts' ? plugin : undefined
    const dane = Math.max(daneLevel(found.level), sts === undefined ? 0 : daneLevel(tls.level))
    if (dane !== 0) {
      const findings = this.#raised(await findDane(dane, target, this.#context))
      // RFC 8461 2: MTA-STS never stands in for DANE, where that can be had
      const isDane = daneLevel(findings.level) !== 0 || daneLevel(found.level) !== 0
      if (sts === undefined || isDane || isStronger(findings.level, found.level)) {
        const request = sts === undefined ? found : { level: dane }
        const policy = await completePolicy(request, target, tls, findings)
        return withApplied(policy, findings.applied ?? plugin, target)
      }
    }
    const applied = sts === undefined ? found : applySts(found, sts, target, tls)
    const request = this.#raised(applied)
    return withApplied(await completePolicy(request, target, tls), plugin, target)
  }

  /** RFC 8689: what the message asks for comes on top. */
  #raised<Asked extends { readonly level: number }>(asked: Asked): Asked {
    if (this.#wish.demand !== 'encrypt' || isTlsRequired(asked.level)) return asked
    return { ...asked, level: TLS_LEVELS.encrypt }
  }

  /**
   * RFC 8689 3: with `TLS-Required: No` the policies of the destination do not count, nor can they fail. Where TLS is not to
   * be had it stays so; where it comes first, it stays. No reports: nobody's policy was applied.
   */
  async #composeLowered(target: TlsTarget): Promise<TlsPolicy> {
    const { tls } = this.#context
    const lowered = tls.usesWrapper ? TLS_LEVELS.encrypt : TLS_LEVELS.may
    let level: number = lowered
    try {
      if ((await this.#request(target)).level === TLS_LEVELS.none) level = TLS_LEVELS.none
    } catch (error) {
      if (!(error instanceof TlsPolicyError)) throw error
    }
    return completePolicy({ level }, target, tls)
  }

  async #request({ element, host }: TlsTarget): Promise<TlsRequest> {
    const { policyMaps, perSite } = this.#tables
    const { level } = this.#context.tls
    if (!policyMaps.isEmpty) {
      const found = await findMappedPolicy(policyMaps, element)
      if (found === 'invalid') throw badTlsConfiguration()
      return found === 'absent' ? { level } : found
    }
    if (perSite.isEmpty) return { level }
    const site = await findSitePolicy(perSite, element, host.name, level)
    if (site === 'invalid') throw badTlsConfiguration()
    if (site === 'tryAgain') throw new TlsPolicyError('4.3.0', 'Temporary lookup error')
    return site
  }
}

/** 0: none of DANE. */
function daneLevel(level: number): number {
  return isDaneLevel(level) ? level : 0
}

/** What half a DANE asks for (encryption, records for a host that nobody vouches for), against a policy in mode testing. */
function isStronger(dane: number, sts: number): boolean {
  return !needsMatch(sts) && dane > sts
}

function withApplied(
  policy: TlsPolicy,
  applied: AppliedPolicy | undefined,
  { domain }: TlsTarget,
): TlsPolicy {
  if (policy === NO_TLS) return policy
  const none = { type: 'no-policy-found', domain, strings: [], mxHostPatterns: [] } as const
  return { ...policy, applied: applied ?? none }
}
