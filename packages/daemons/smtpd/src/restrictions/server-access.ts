/**
 * server-access - check_{client,reverse_client_hostname,helo,sender,recipient}_{a,mx,ns}_access: access by servers
 *
 * The table is asked about the hosts that serve a domain, by name and by address: its addresses (a), its mail exchangers
 * (mx), its name servers (ns), those of the parent where it has none of its own. The first entry decides. OK is not
 * allowed: whoever runs a name server could otherwise permit himself. What DNS cannot say is logged and passed over.
 * Source: Postfix 3.7 postconf(5).
 */
import { isIP } from 'node:net'
import { splitAddress } from '@posthorn/address/split-address'
import { addressOfLiteral } from '@posthorn/address/hostname'
import { lookupNative } from '@posthorn/dns/native-lookup'
import type { Resolver } from '@posthorn/dns/resolver'
import { log } from '@posthorn/log/log'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { search, type AccessCheckSettings } from './access-checks.ts'
import { addressKeys, domainKeys } from './access-keys.ts'
import type { Evaluation, Subject } from './evaluation.ts'
import { dunno, misconfigured, type Check, type Verdict } from './restriction.ts'
import { shortReason } from './short-reason.ts'

type ServerType = 'A' | 'MX' | 'NS'

interface Target {
  readonly domain: string
  readonly subject: Subject
}

export interface ServerSettings {
  readonly resolver: Resolver
  readonly hasIpv6: boolean
}

const NAME = /^check_(client|reverse_client_hostname|helo|sender|recipient)_(a|mx|ns)_access$/

export function isServerAccess(restriction: string): boolean {
  return NAME.test(restriction)
}

/** Whose servers; undefined: there is nobody yet, or nobody with a name. */
function findTarget(
  { client, session, recipient, clientSubject }: Evaluation,
  what: string,
): Target | undefined {
  const mailTarget = (address = '', className: Subject['className']): Target | undefined =>
    address === ''
      ? undefined
      : { domain: splitAddress(address).domain ?? address, subject: { name: address, className } }
  switch (what) {
    case 'client':
      return client.name === 'unknown' ? undefined : { domain: client.name, subject: clientSubject }
    case 'reverse_client_hostname':
      return client.reverseName === 'unknown'
        ? undefined
        : {
            domain: client.reverseName,
            subject: { name: client.reverseName, className: 'Unverified Client host' },
          }
    case 'helo':
      return session.helo === undefined
        ? undefined
        : { domain: session.helo, subject: { name: session.helo, className: 'Helo command' } }
    case 'sender':
      return mailTarget(session.transaction?.sender, 'Sender address')
    default:
      return mailTarget(recipient, 'Recipient address')
  }
}

/** The check that the name stands for; undefined for other names. */
export function serverAccessCheck(
  restriction: string,
  table: LookupTable,
  settings: AccessCheckSettings,
  servers: ServerSettings,
): Check | undefined {
  const [, what, suffix] = NAME.exec(restriction) ?? []
  if (what === undefined || suffix === undefined) return undefined
  const type = suffix.toUpperCase() as ServerType
  const found = new Servers(servers)
  return async (evaluation) => {
    const target = findTarget(evaluation, what)
    if (target === undefined) return dunno
    const verdict = await judge(evaluation, target, type, found, table, settings)
    if (verdict.kind !== 'permit') return verdict
    log.warning(`restriction ${restriction} returns OK for ${target.subject.name}`)
    log.warning('this is not allowed for security reasons')
    log.warning('use DUNNO instead of OK if you want to make an exception')
    return misconfigured
  }
}

async function judge(
  evaluation: Evaluation,
  target: Target,
  type: ServerType,
  servers: Servers,
  table: LookupTable,
  settings: AccessCheckSettings,
): Promise<Verdict> {
  const { domain, subject } = target
  const literal = domain.startsWith('[') ? addressOfLiteral(domain) : domain
  if (literal === undefined) return dunno
  if (isIP(literal) !== 0) {
    return (await search(evaluation, table, addressKeys(literal), subject, settings)) ?? dunno
  }
  for (const host of type === 'A' ? [domain] : await servers.hostsOf(target, type)) {
    if (type !== 'A') {
      const keys = domainKeys(host, settings.isDotted)
      const found = await search(evaluation, table, keys, subject, settings)
      if (found !== undefined) return found
    }
    for (const address of await servers.addressesOf(host, type, subject)) {
      const found = await search(evaluation, table, addressKeys(address), subject, settings)
      if (found !== undefined) return found
    }
  }
  return dunno
}

/** What DNS says about the servers of a domain. */
class Servers {
  readonly #resolver: Resolver
  readonly #hasIpv6: boolean

  constructor({ resolver, hasIpv6 }: ServerSettings) {
    this.#resolver = resolver
    this.#hasIpv6 = hasIpv6
  }

  async hostsOf({ domain, subject }: Target, type: 'MX' | 'NS'): Promise<readonly string[]> {
    for (let name = domain; ;) {
      const answer = await this.#resolver.query(name, type)
      if (answer.kind === 'found') return answer.records.map(({ host }) => host)
      if (answer.kind === 'nullMx') return []
      const isAbsent = answer.kind === 'noData' || answer.kind === 'notFound'
      // RFC 5321 5.1: without MX records the domain is its own mail exchanger
      if (type === 'MX' && isAbsent) return [domain]
      // name servers are those of the zone, which may begin further up
      const dot = name.indexOf('.')
      if (type === 'MX' || !isAbsent || dot < 0) {
        const reason = shortReason(answer.reason)
        const whose = type === 'MX' ? domain : subject.name
        log.warning(`Unable to look up ${type} host for ${whose}: ${reason}`)
        return []
      }
      name = name.slice(dot + 1)
    }
  }

  /** As the system finds them, so /etc/hosts counts; only of the kinds that inet_protocols has. */
  async addressesOf(host: string, type: ServerType, subject: Subject): Promise<readonly string[]> {
    const answer = await lookupNative(host, this.#hasIpv6 ? 0 : 4)
    if (answer.kind === 'found') return answer.addresses
    if (type !== 'A') {
      const whose = `${subject.className} ${subject.name}`
      log.warning(`Unable to look up ${type} host ${host} for ${whose}: ${answer.reason}`)
    }
    return []
  }
}
