/**
 * client-permissions - what this client, unlike others, may do; and which keywords it does not hear of
 *
 * XCLIENT and XFORWARD change what logs and policies see, so nobody may use them unless listed. Tables that cannot be
 * asked grant nothing. Found out when the client has connected, and again when XCLIENT has made another client of it.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import { log } from '@posthorn/log/log'
import { MapList } from '@posthorn/tables/map-list'
import { AddressList } from '@posthorn/tables/match-list'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import type { SessionClient } from './session-client.ts'

export interface ClientPermissions {
  readonly mayXclient: boolean
  readonly mayXforward: boolean
  readonly mayVerp: boolean
  /** Keywords that EHLO does not announce, and whose commands are refused; upper case. */
  readonly discardedKeywords: ReadonlySet<string>
}

/** smtpd_discard_ehlo_keywords and its tables hold words in either case. */
export function readKeywords(words: Iterable<string>): ReadonlySet<string> {
  return new Set([...words].map((word) => word.toUpperCase()))
}

export class PermissionLists {
  readonly #xclient: AddressList
  readonly #xforward: AddressList
  readonly #verp: AddressList
  readonly #discarded: ReadonlySet<string>
  readonly #discardedFor: MapList

  /** @throws {ConfigError} a list or table cannot be used */
  constructor(config: MainConfig) {
    const open = (
      name:
        | 'smtpd_authorized_xclient_hosts'
        | 'smtpd_authorized_xforward_hosts'
        | 'smtpd_authorized_verp_clients',
    ): AddressList => AddressList.open(name, config.text(name), { config })
    this.#xclient = open('smtpd_authorized_xclient_hosts')
    this.#xforward = open('smtpd_authorized_xforward_hosts')
    this.#verp = open('smtpd_authorized_verp_clients')
    this.#discarded = readKeywords(config.flags('smtpd_discard_ehlo_keywords'))
    const maps = 'smtpd_discard_ehlo_keyword_address_maps'
    this.#discardedFor = MapList.open(maps, config.text(maps), { config })
  }

  async of(client: SessionClient): Promise<ClientPermissions> {
    return {
      mayXclient: await grants(this.#xclient, client),
      mayXforward: await grants(this.#xforward, client),
      mayVerp: await grants(this.#verp, client),
      discardedKeywords: await this.#keywordsFor(client),
    }
  }

  async #keywordsFor({ address }: SessionClient): Promise<ReadonlySet<string>> {
    if (this.#discardedFor.isEmpty) return this.#discarded
    const answer = await this.#discardedFor.find(address)
    if (answer.kind === 'tryAgain')
      log.warning(`smtpd_discard_ehlo_keyword_address_maps: ${answer.reason}`)
    return answer.kind === 'found' ? readKeywords(splitList(answer.value)) : this.#discarded
  }
}

async function grants(list: AddressList, { address, name }: SessionClient): Promise<boolean> {
  if (list.isEmpty) return false
  try {
    return await list.matches(address, name)
  } catch (error) {
    if (error instanceof TableUnavailableError) return false
    throw error
  }
}
