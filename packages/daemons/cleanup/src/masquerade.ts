/**
 * masquerade - hides the hosts of a domain behind its name
 *
 *     masquerade_domains = !keep.example.com example.com      ann@host.example.com  ->  ann@example.com
 *
 * The first entry that fits decides; `!` means leave alone what is below the domain, too.
 * Source: Postfix 3.7 masquerade_domains in postconf(5).
 */
import { foldCase, splitAddress } from '@posthorn/address/split-address'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import { log } from '@posthorn/log/log'
import type { MappingClass } from './mapping-class.ts'
import type { Message } from './message.ts'

/** Users who keep their full address; the match lists of packages/lib/tables fit. */
export interface NameList {
  matches: (name: string) => boolean | Promise<boolean>
}

export class Masquerade {
  readonly #domains: readonly string[]
  readonly #classes: ReadonlySet<MappingClass>
  readonly #exceptions: NameList | undefined

  constructor(options: {
    /** In lower case. */
    readonly domains: readonly string[]
    readonly classes: ReadonlySet<MappingClass>
    readonly exceptions: NameList | undefined
  }) {
    this.#domains = options.domains
    this.#classes = options.classes
    this.#exceptions = options.exceptions
  }

  appliesTo(kind: MappingClass): boolean {
    return this.#domains.length > 0 && this.#classes.has(kind)
  }

  /** Internal form in and out. A table that fails fails the message. */
  async map(message: Message, address: string): Promise<string> {
    const { local, domain } = splitAddress(address)
    if (domain === undefined) return address
    const parent = this.#parentOf(foldCase(domain))
    if (parent === undefined) return address
    if (await this.#isException(message, local)) return address
    return `${local}@${parent}`
  }

  async #isException(message: Message, local: string): Promise<boolean> {
    if (this.#exceptions === undefined) return false
    try {
      return await this.#exceptions.matches(local)
    } catch (error) {
      if (!(error instanceof TableUnavailableError)) throw error
      log.info(
        `${message.id}: masquerade_exceptions map lookup problem -- message not accepted, try again later`,
      )
      message.fail('write')
      return true
    }
  }

  #parentOf(domain: string): string | undefined {
    for (const entry of this.#domains) {
      const isKept = entry.startsWith('!')
      const parent = isKept ? entry.slice(1) : entry
      if (domain === parent) return undefined
      if (domain.endsWith(`.${parent}`)) return isKept ? undefined : parent
    }
    return undefined
  }
}
