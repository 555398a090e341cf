/**
 * sites - which domains are whose: the address classes
 *
 *     local            mydestination, and address literals of our own interfaces
 *     virtual alias    virtual_alias_domains
 *     virtual mailbox  virtual_mailbox_domains
 *     relay            relay_domains
 *     default          everything else
 *
 * A domain belongs to one class; listing it twice is a mistake that is warned about, and the first counts.
 * Source: Postfix 3.7 ADDRESS_CLASS_README.
 */
import { lookup } from 'node:dns/promises'
import { addressOfLiteral } from '@posthorn/address/hostname'
import { canonicalAddress, findOwnAddresses } from '@posthorn/address/own-addresses'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { andThen, type MaybePromise } from '@posthorn/tables/lookup-table'
import { DomainList } from '@posthorn/tables/match-list'
import { TableUnavailableError } from '@posthorn/tables/table-error'

export type AddressClass = 'local' | 'virtualAlias' | 'virtualMailbox' | 'relay' | 'default'

export interface Sites {
  /** @throws {TableUnavailableError}, or rejects with it */
  readonly isLocal: (domain: string) => MaybePromise<boolean>
  /** @throws {TableUnavailableError}, or rejects with it */
  readonly classOf: (domain: string) => MaybePromise<AddressClass>
}

const LISTS = [
  ['virtualAlias', 'virtual_alias_domains'],
  ['virtualMailbox', 'virtual_mailbox_domains'],
  ['relay', 'relay_domains'],
] as const

/** Domains whose double listing was warned about already. */
const MAX_WARNED = 1000

async function hostAddresses(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}

/** For a warning only: a list that cannot be asked gives none. */
async function matchesSurely(list: DomainList, domain: string): Promise<boolean> {
  try {
    return await list.matches(domain)
  } catch (error) {
    if (error instanceof TableUnavailableError) return false
    throw error
  }
}

export async function openSites(config: MainConfig): Promise<Sites> {
  const own = await findOwnAddresses(
    config.list('inet_interfaces'),
    config.list('proxy_interfaces'),
    hostAddresses,
  )
  const destinations = DomainList.open('mydestination', config.text('mydestination'), { config })
  const lists = LISTS.map(([name, parameter]) => ({
    name,
    parameter,
    list: DomainList.open(parameter, config.text(parameter), { config }),
  })).filter(({ list }) => !list.isEmpty)

  const isLocal = (domain: string): MaybePromise<boolean> => {
    const literal = addressOfLiteral(domain)
    const isOwn = literal !== undefined && own.all.has(canonicalAddress(literal))
    return andThen(destinations.matches(domain), (isListed) => isListed || isOwn)
  }
  const warned = new Set<string>()
  const warnIfAlso = async (domain: string): Promise<AddressClass> => {
    for (const { name, parameter, list } of lists) {
      const pair = `mydestination and ${parameter}`
      // relay_domains lists parents of local domains by default: that is no mistake
      if (name === 'relay' || warned.has(`${domain} ${pair}`)) continue
      if (!(await matchesSurely(list, domain))) continue
      if (warned.size < MAX_WARNED) warned.add(`${domain} ${pair}`)
      log.warning(`do not list domain ${domain} in BOTH ${pair}`)
    }
    return 'local'
  }
  const listed = (domain: string, at: number): MaybePromise<AddressClass> => {
    const candidate = lists[at]
    if (candidate === undefined) return 'default'
    return andThen(candidate.list.matches(domain), (matches): MaybePromise<AddressClass> =>
      matches ? candidate.name : listed(domain, at + 1),
    )
  }
  const mayConflict = lists.some(({ name }) => name !== 'relay')
  const ifLocal = (domain: string): MaybePromise<AddressClass> =>
    mayConflict ? warnIfAlso(domain) : 'local'
  const classOf = (domain: string): MaybePromise<AddressClass> =>
    andThen(isLocal(domain), (local): MaybePromise<AddressClass> =>
      local ? ifLocal(domain) : listed(domain, 0),
    )
  return { isLocal, classOf }
}
