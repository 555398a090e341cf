/**
 * tls-policies - finds the TLS policy for a server, and remembers it for the time of one delivery request
 *
 *   smtp_tls_policy_maps   the whole answer where the destination is in it
 *   smtp_tls_per_site      only without policy maps
 *   main.cf                else
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
import { isTlsRequired } from './tls-options.ts'
import { findSitePolicy } from './tls-per-site.ts'
import { findMappedPolicy } from './tls-policy-maps.ts'
import {
  badTlsConfiguration,
  completePolicy,
  NO_TLS,
  TlsPolicyError,
  type TlsPolicy,
  type TlsRequest,
  type TlsTarget,
} from './tls-policy.ts'

export interface TlsTables {
  readonly policyMaps: MapList
  readonly perSite: MapList
}

type Outcome = TlsPolicy | TlsPolicyError

export class TlsPolicies {
  readonly #tables: TlsTables
  readonly #context: DaneContext
  readonly #known = new Map<string, Promise<Outcome>>()

  constructor(tls: TlsClient, client: Pick<SmtpClient, 'options' | 'lookup'>) {
    const { options, lookup } = client
    this.#tables = tls.tables
    this.#context = { client: options, tls: tls.options, lookup, probe: tls.probe }
  }

  /** Undefined: no mail to this server now; why has been logged, with `error` in it, and `delivery` knows it. */
  async findFor(delivery: Delivery, target: TlsTarget, error = ''): Promise<TlsPolicy | undefined> {
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
      outcome = this.#compose(target).catch((error: unknown) => {
        if (error instanceof TlsPolicyError) return error
        throw error
      })
      this.#known.set(key, outcome)
    }
    return outcome
  }

  async #compose(target: TlsTarget): Promise<TlsPolicy> {
    const { tls } = this.#context
    const request = await this.#request(target)
    const isDane = request.level === TLS_LEVELS.dane || request.level === TLS_LEVELS.daneOnly
    if (!isDane) return completePolicy(request, target, tls)
    const findings = await findDane(request.level, target, this.#context)
    return completePolicy(request, target, tls, findings)
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
