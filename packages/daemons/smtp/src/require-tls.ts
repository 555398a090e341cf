/**
 * require-tls - what a message asks of TLS, beyond what its destination and main.cf ask (RFC 8689)
 *
 *     REQUIRETLS, by smtp_requiretls_policy of the next-hop:
 *       enforce                  'verify'    certificate verified, REQUIRETLS offered and used; else no server will do
 *       opportunistic+starttls   'encrypt'   TLS; REQUIRETLS where it is offered
 *       opportunistic            'ask'       REQUIRETLS where it is offered under TLS
 *       disable                  'none'
 *     TLS-Required: No           'may'       whatever policy says, TLS as it comes, or none; REQUIRETLS counts more
 *
 * The header counts for nothing where we authenticate: policy also protects our password.
 * When no server will do, and nothing else was in the way, the mail is returned (5.7.30).
 * Sources: RFC 8689 3, 4.2.1, 5; Postfix 3.11 postconf(5) smtp_requiretls_policy, REQUIRETLS_README.
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import { isValidHostname } from '@posthorn/address/hostname'
import { log } from '@posthorn/log/log'
import { MapList } from '@posthorn/tables/map-list'
import { SENDOPT_FLAGS } from '@posthorn/wire/attr-groups'
import { PEER_STATUS, TLS_LEVELS, type TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import { toAsciiName } from './ascii-name.ts'
import type { Protocol } from './client-options.ts'
import { localFailure } from './failure.ts'
import { FEATURES } from './features.ts'
import { describeHost, type ServerHost } from './server-host.ts'
import { isTlsRequired, needsMatch } from './tls-options.ts'

export type TlsDemand = 'none' | 'may' | 'ask' | 'encrypt' | 'verify'

export const WISH_UNKNOWN = localFailure('4.3.0', 'REQUIRETLS policy lookup error')

const ACTIONS: ReadonlyMap<string, TlsDemand> = new Map([
  ['enforce', 'verify'],
  ['opportunistic+starttls', 'encrypt'],
  ['opportunistic', 'ask'],
  ['disable', 'none'],
])

/** Lookups and words of smtp_requiretls_policy, in their order. */
export class RequireTlsPolicy {
  readonly #title: string
  readonly #items: readonly (TlsDemand | MapList)[]
  readonly #isTransitional: boolean

  private constructor(
    title: string,
    items: readonly (TlsDemand | MapList)[],
    isTransitional: boolean,
  ) {
    this.#title = title
    this.#items = items
    this.#isTransitional = isTransitional
  }

  /** Undefined: requiretls_enable = no. @throws {ConfigError} an item is neither action nor table */
  static open(config: MainConfig, protocol: Protocol): RequireTlsPolicy | undefined {
    if (!config.boolean('requiretls_enable')) return undefined
    const title = `${protocol}_requiretls_policy` as const
    const items = splitList(config.text(title)).map((item) => {
      const action = ACTIONS.get(item)
      if (action !== undefined) return action
      if (!item.includes(':')) throw new ConfigError(`bad action "${item}" in ${title}`)
      return MapList.open(title, item, { config })
    })
    return new RequireTlsPolicy(title, items, config.boolean('enable_idna2003_compatibility'))
  }

  /** `nexthop`: without brackets and port. 'tryAgain': a table could not be asked, or says what makes no sense. */
  async find(nexthop: string): Promise<TlsDemand | 'tryAgain'> {
    const domain = toAsciiName(nexthop, this.#isTransitional)
    for (const item of this.#items) {
      if (typeof item === 'string') return item
      const answer = await findDomain(item, domain)
      if (answer.kind === 'absent') continue
      if (answer.kind === 'tryAgain') {
        log.warning(`${this.#title} lookup error for ${domain}`)
        return 'tryAgain'
      }
      const action = ACTIONS.get(answer.value.trim())
      if (action !== undefined) return action
      log.warning(`${this.#title}: bad action "${answer.value}" for ${domain}`)
      return 'tryAgain'
    }
    return 'verify'
  }
}

async function findDomain(
  maps: MapList,
  domain: string,
): Promise<Awaited<ReturnType<MapList['find']>>> {
  let answer = await maps.find(domain)
  if (!isValidHostname(domain)) return answer
  let dot = domain.indexOf('.', 1)
  while (answer.kind === 'absent' && dot > 0) {
    answer = await maps.findPart(domain.slice(dot))
    dot = domain.indexOf('.', dot + 1)
  }
  return answer
}

/** What one request asks for at its present next-hop. */
export class TlsWish {
  /** For the next-hop that decide() was asked about last. */
  demand: TlsDemand = 'none'
  readonly #flags: number
  readonly #policy: RequireTlsPolicy | undefined
  readonly #honorsHeader: boolean

  /** `sendOptions`: SENDOPT_FLAGS of the request; `honorsHeader`: tls_required_enable. */
  constructor(sendOptions = 0, policy?: RequireTlsPolicy, honorsHeader = false) {
    this.#flags = sendOptions
    this.#policy = policy
    this.#honorsHeader = honorsHeader
  }

  /** False: it cannot be found out now, which was logged. */
  async decide(nexthop: string): Promise<boolean> {
    const isRequired = (this.#flags & SENDOPT_FLAGS.requireTls) !== 0
    const found = isRequired ? ((await this.#policy?.find(nexthop)) ?? 'none') : 'none'
    if (found === 'tryAgain') return false
    const isOptional = this.#honorsHeader && (this.#flags & SENDOPT_FLAGS.tlsOptional) !== 0
    this.demand = found === 'none' && isOptional ? 'may' : found
    return true
  }

  /** The parameter REQUIRETLS of MAIL: where it can be said, it is. */
  get asksForRequireTls(): boolean {
    return this.demand === 'ask' || this.demand === 'encrypt' || this.demand === 'verify'
  }

  /** Why a policy of this level will not do; undefined: it may. */
  findObstacle(level: number, host: ServerHost): string | undefined {
    const isVerified = needsMatch(level) && level !== TLS_LEVELS.halfDane
    if (this.demand === 'verify' && !isVerified) {
      return `REQUIRETLS is required, but there is no policy to verify host ${describeHost(host)}`
    }
    if (this.demand === 'encrypt' && !isTlsRequired(level)) {
      return `REQUIRETLS is required, but there is no TLS for host ${describeHost(host)}`
    }
    return undefined
  }

  /** Why a session will not do; undefined: it will. */
  findFault(session: WishedSession): string | undefined {
    const { tlsContext, features, host } = session
    if (this.demand !== 'verify' && this.demand !== 'encrypt') return undefined
    const where = describeHost(host)
    if (tlsContext === undefined) {
      return `REQUIRETLS is required, but TLS was not offered by host ${where}`
    }
    if (this.demand === 'encrypt') return undefined
    if ((tlsContext.peerStatus & PEER_STATUS.secured) === 0) {
      return `REQUIRETLS is required, but the certificate of host ${where} is not verified`
    }
    if ((features & FEATURES.requireTls) !== 0) return undefined
    return `REQUIRETLS is required, but was not offered by host ${where}`
  }
}

/** As far as it matters here; new, or from the cache. */
export interface WishedSession {
  readonly host: ServerHost
  readonly features: number
  readonly tlsContext?: TlsContext | undefined
}
