/**
 * mailbox-routes - what main.cf sends elsewhere than to a mailbox
 *
 *     aliases ─▶ .forward ─▶ mailbox_transport(_maps) ─▶ mailbox_command(_maps) ─▶ mailbox
 *                                                        no such user ─▶ fallback_transport(_maps) ─▶ luser_relay
 *
 * These ways are known here, not taken: mail that would go one of them waits, because a mailbox would be the wrong place
 * for it and a bounce the wrong answer. A file counts as a .forward file if Postfix would read it: a regular file of the
 * user or root, not empty, that the user may read and not everybody may write.
 *
 * Trusts: tables. Not the home directory: it is looked at, not read. Not the address extension: it is no path.
 * Source: Postfix 3.7 local(8), aliases(5).
 */
import { lstatSync } from 'node:fs'
import { splitAddress, type SplitExtension } from '@posthorn/address/split-address'
import { expandMacros, MacroError } from '@posthorn/config/expand-macros'
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import type { RelayedStatus } from '@posthorn/delivery/delivery-status'
import { log } from '@posthorn/log/log'
import { errorCode, errorReason } from '@posthorn/native/system-error'
import type { UserEntry } from '@posthorn/native/user'
import { MapList } from '@posthorn/tables/map-list'

/** Why a recipient must wait. */
export type Wait = Omit<RelayedStatus, 'relay'>

/** A parameter and the tables that override it for some users. */
interface Route {
  readonly name: 'mailbox_transport' | 'mailbox_command' | 'fallback_transport'
  readonly value: string
  readonly maps: MapList
}

export class MailboxRoutes {
  readonly #aliases: MapList
  readonly #routes: Readonly<Record<Route['name'], Route>>
  readonly #forwardPath: readonly string[]
  /** What an address may contribute to a path. */
  readonly #allowed: ReadonlySet<string>

  /** @throws {ConfigError} a parameter names no table */
  constructor(config: MainConfig) {
    // What is found becomes commands and files: no text from the address in it.
    const context = { config, forbidsSubstitution: true }
    const open = (name: 'alias_maps' | `${Route['name']}_maps`): MapList =>
      MapList.open(name, config.text(name), context)
    const route = (name: Route['name']): Route => ({
      name,
      value: config.text(name),
      maps: open(`${name}_maps`),
    })
    this.#aliases = open('alias_maps')
    this.#routes = {
      mailbox_transport: route('mailbox_transport'),
      mailbox_command: route('mailbox_command'),
      fallback_transport: route('fallback_transport'),
    }
    this.#forwardPath = splitList(config.text('forward_path'))
    this.#allowed = new Set(config.text('forward_expansion_filter'))
  }

  /** The whole local part first, then without its extension. Both folded. */
  async checkAliases(local: string, user: string): Promise<Wait | undefined> {
    for (const name of new Set([local, user])) {
      const answer = await this.#aliases.find(name)
      if (answer.kind === 'tryAgain') return { dsn: '4.3.0', reason: 'alias database unavailable' }
      if (answer.kind === 'found') return unavailable('alias expansion', `alias_maps has "${name}"`)
    }
    return undefined
  }

  /** For a name that may be no user's. */
  async checkTransport(name: string): Promise<Wait | undefined> {
    return this.#check(this.#routes.mailbox_transport, name)
  }

  async checkCommand(user: string): Promise<Wait | undefined> {
    return this.#check(this.#routes.mailbox_command, user)
  }

  /** For a name that is no user's. */
  async checkFallback(name: string): Promise<Wait | undefined> {
    return this.#check(this.#routes.fallback_transport, name)
  }

  /** @param recipient internal form */
  checkForward(user: UserEntry, recipient: string, split: SplitExtension): Wait | undefined {
    try {
      const paths = this.#forwardPath.map((item) => this.#expand(item, user, recipient, split))
      for (const path of new Set(paths)) {
        const wait = checkForwardFile(path, user)
        if (wait !== undefined) return wait
      }
      return undefined
    } catch (error) {
      if (!(error instanceof MacroError)) throw error
      log.warning(`forward_path: ${error.message}`)
      return { dsn: '4.3.5', reason: 'mail system configuration error' }
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

  async #check({ name, value, maps }: Route, key: string): Promise<Wait | undefined> {
    const answer = await maps.find(key)
    if (answer.kind === 'tryAgain') return { dsn: '4.3.0', reason: 'table lookup failure' }
    if (answer.kind === 'found') return unavailable(`${name}_maps`, `it has "${key}"`)
    return value === '' ? undefined : unavailable(name, 'it is set')
  }
}

function unavailable(what: string, why: string): Wait {
  return { dsn: '4.3.5', reason: `${what} is not available yet; ${why}` }
}

/** Looked at as ourselves: nothing is opened, and a link is not followed. */
function checkForwardFile(path: string, user: UserEntry): Wait | undefined {
  let stats
  try {
    // eslint-disable-next-line n/no-sync -- cached metadata, 6 us (docs/performance.md 7)
    stats = lstatSync(path)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    return { dsn: '4.3.0', reason: `cannot look for file ${path}: ${errorReason(error)}` }
  }
  const { uid, gid, mode, size } = stats
  const fault = !stats.isFile()
    ? 'is not a regular file'
    : uid !== user.uid && uid !== 0
      ? `has bad owner uid ${uid}`
      : (mode & 0o002) !== 0
        ? 'is world writable'
        : undefined
  if (fault !== undefined) {
    log.warning(`file ${path} ${fault}`)
    return undefined
  }
  const readBit = uid === user.uid ? 0o400 : gid === user.gid ? 0o040 : 0o004
  if (size === 0 || (mode & readBit) === 0) return undefined
  return unavailable('forwarding', `there is a file ${path}`)
}
