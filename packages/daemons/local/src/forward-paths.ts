/**
 * forward-paths - where a user may have said who gets the mail: forward_path
 *
 * The setting is expanded for each recipient: `$home/.forward${recipient_delimiter}${extension}`. What the address
 * contributes to a path is filtered, and an extension with a slash contributes nothing.
 * Source: Postfix 3.7 local(8).
 */
import { splitAddress, type SplitExtension } from '@posthorn/address/split-address'
import { expandMacros, MacroError } from '@posthorn/config/expand-macros'
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import { log } from '@posthorn/log/log'
import type { UserEntry } from '@posthorn/native/user'

export class ForwardPaths {
  readonly #items: readonly string[]
  /** What an address may contribute to a path. */
  readonly #allowed: ReadonlySet<string>

  constructor(config: MainConfig) {
    this.#items = splitList(config.text('forward_path'))
    this.#allowed = new Set(config.text('forward_expansion_filter'))
  }

  /**
   * In order; undefined: forward_path makes no sense.
   *
   * @param recipient internal form
   */
  of(user: UserEntry, recipient: string, split: SplitExtension): ReadonlySet<string> | undefined {
    try {
      return new Set(this.#items.map((item) => this.#expand(item, user, recipient, split)))
    } catch (error) {
      if (!(error instanceof MacroError)) throw error
      log.warning(`forward_path: ${error.message}`)
      return undefined
    }
  }

  #expand(item: string, user: UserEntry, recipient: string, split: SplitExtension): string {
    const { local, domain = '' } = splitAddress(recipient)
    const isPath = split.extension.includes('/')
    const values = new Map([
      ['user', user.name],
      ['home', user.home],
      ['shell', user.shell],
      ['domain', this.#filter(domain)],
      ['extension', isPath ? '' : this.#filter(split.extension)],
      ['local', this.#filter(local)],
      ['recipient', this.#filter(recipient)],
      ['recipient_delimiter', isPath ? '' : split.delimiter],
    ])
    return expandMacros(item, (name) => values.get(name), { isRecursive: false })
  }

  #filter(text: string): string {
    return Array.from(text, (char) => (this.#allowed.has(char) ? char : '_')).join('')
  }
}
