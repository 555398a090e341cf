/**
 * expansion-lookups - what aliases, .forward files, accounts, routes and the resolver say, for expansion.ts
 *
 * An answer that cannot be had now, or that is a mistake of the configuration, is an ExpansionWait: the whole recipient
 * is tried again later. Holds nothing between two questions.
 *
 * Source: Postfix 3.7 local(8), aliases(5).
 */
import { splitAddress, type SplitExtension } from '@posthorn/address/split-address'
import type { RelayedStatus } from '@posthorn/delivery/delivery-status'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import type { UserEntry } from '@posthorn/native/user'
import type { Recipient } from '@posthorn/wire/attr-groups'
import { RESOLVE_FLAGS, type ResolveReply } from '@posthorn/wire/rewrite-protocol'
import { readForwardFile, readIncludeFile } from './alias-files.ts'
import type { AliasResult, AliasTables } from './alias-tables.ts'
import { parseAliasLines, parseAliasValue, type Destination } from './alias-value.ts'
import { ExpansionWait, notYet } from './expansion-outcome.ts'
import type { ForwardPaths } from './forward-paths.ts'
import type { LocalSettings } from './local-settings.ts'
import type { MailboxRoutes, RouteName } from './mailbox-routes.ts'

export interface ExpansionServices {
  readonly aliases: Pick<AliasTables, 'find'>
  readonly forwardPaths: Pick<ForwardPaths, 'of'>
  readonly routes: Pick<MailboxRoutes, 'find'>
  /** @throws {SystemError} the accounts cannot be asked */
  readonly findUser: (name: string) => UserEntry | undefined
  /** Completes an address: internal form in and out. @throws {ServiceError} */
  readonly complete: (address: string) => Promise<string>
  /** Internal form. @throws {ServiceError} */
  readonly resolve: (sender: string, address: string) => Promise<ResolveReply>
}

/** Where a destination may stand: allow_mail_to_files. */
export type MailForm = 'alias' | 'forward' | 'include'

/** How a recipient was come to. */
export interface Origin {
  readonly depth: number
  /** The alias whose value it stands in, folded; an address in its own alias is the user. */
  readonly alias: string
  /** The sender that the owner of a list stands for. */
  readonly owner: string | undefined
  /** From an :include: or .forward file: not ours to deliver at once. */
  readonly isIndirect: boolean
  /** Whose .forward file it stands in. */
  readonly forwarder: UserEntry | undefined
  readonly luserRelay: string
  /** What it stands in, and with whose rights files are written that it names; undefined (never root's): those of default_privs. */
  readonly source: MailForm
  readonly rights: number | undefined
}

/** Whom an alias or a file names, and how they are come to. */
export interface Members {
  readonly destinations: readonly Destination[]
  readonly inside: Origin
}

export class ExpansionLookups {
  readonly #settings: LocalSettings
  readonly #services: ExpansionServices
  readonly #sender: string

  /** @param sender of the message */
  constructor(settings: LocalSettings, services: ExpansionServices, sender: string) {
    this.#settings = settings
    this.#services = services
    this.#sender = sender
  }

  /** Never nobody. @throws {ExpansionWait | ServiceError} */
  async findAlias(
    recipient: Recipient,
    name: string,
    origin: Origin,
  ): Promise<Members | undefined> {
    const found = await this.#lookUp(recipient, name)
    if (found === undefined) return undefined
    const destinations = parseAliasValue(found.value)
    if (destinations.length === 0) {
      log.warning(`no recipient in alias lookup result for ${name}`)
      throw new ExpansionWait(recipient, { dsn: '4.3.0', reason: 'alias database unavailable' })
    }
    const owner = await this.#findOwner(recipient, name, origin.owner)
    const depth = origin.depth + 1
    const rights = found.ownerId
    return {
      destinations,
      inside: { ...origin, depth, alias: name, owner, source: 'alias', rights },
    }
  }

  /** Who is told about mail for the alias that cannot be delivered, instead of the sender. */
  async #findOwner(
    recipient: Recipient,
    alias: string,
    before: string | undefined,
  ): Promise<string | undefined> {
    const name = `owner-${alias}`
    const found = await this.#lookUp(recipient, name)
    if (found === undefined) return this.#settings.resetsOwner ? undefined : before
    const [first] = parseAliasValue(found.value)
    const expanded = this.#settings.expandsOwner && first?.kind === 'address' ? first.address : name
    return this.#services.complete(expanded)
  }

  async #lookUp(
    recipient: Recipient,
    name: string,
  ): Promise<(AliasResult & { kind: 'found' }) | undefined> {
    const answer = await this.#services.aliases.find(name)
    if (answer.kind === 'found') return answer
    if (answer.kind === 'absent') return undefined
    throw new ExpansionWait(recipient, { dsn: '4.3.0', reason: 'alias database unavailable' })
  }

  /** @throws {ExpansionWait} */
  findUser(recipient: Recipient, name: string): UserEntry | undefined {
    try {
      return this.#services.findUser(name)
    } catch (error) {
      log.warning(`error looking up passwd info for ${name}: ${errorReason(error)}`)
      throw new ExpansionWait(recipient, { dsn: '4.0.0', reason: 'user lookup error' })
    }
  }

  /** The transport to pass the recipient to; empty: none. @throws {ExpansionWait} */
  async findRoute(recipient: Recipient, name: RouteName, user: string): Promise<string> {
    const found = await this.#services.routes.find(name, user)
    if (found.kind === 'wait') throw new ExpansionWait(recipient, found.wait)
    const { value } = found
    if (value === '') return ''
    if (name === 'mailbox_command') {
      throw new ExpansionWait(recipient, notYet(`delivery to the command ${value}`))
    }
    if (value.replace(/:.*/s, '') === this.#settings.relay) {
      // Postfix would go round and round here.
      log.warning(`${name} = ${value} would bring mail back to this service`)
      throw new ExpansionWait(recipient, {
        dsn: '4.3.5',
        reason: 'mail system configuration error',
      })
    }
    return value
  }

  /** The status when there can be no such file, for good. @throws {ExpansionWait} */
  async readInclude(
    recipient: Recipient,
    path: string,
    origin: Origin,
  ): Promise<Members | Omit<RelayedStatus, 'relay'>> {
    const file = await readIncludeFile(path, origin.forwarder)
    if (file.kind === 'failed') {
      if (file.status.dsn.startsWith('4')) throw new ExpansionWait(recipient, file.status)
      return file.status
    }
    const owner = origin.forwarder?.uid ?? file.ownerId
    return this.#members(file.text, origin, { source: 'include', rights: owner })
  }

  /** Undefined: there is no .forward file, or it says nothing. @throws {ExpansionWait} */
  async readForward(
    recipient: Recipient,
    user: UserEntry,
    split: SplitExtension,
    origin: Origin,
  ): Promise<Members | undefined> {
    const paths = this.#services.forwardPaths.of(user, recipient.recipient, split)
    if (paths === undefined) {
      throw new ExpansionWait(recipient, {
        dsn: '4.3.5',
        reason: 'mail system configuration error',
      })
    }
    for (const path of paths) {
      const file = await readForwardFile(path, user)
      if (file.kind === 'absent') continue
      if (file.kind === 'failed') throw new ExpansionWait(recipient, file.status)
      const from = { ...origin, forwarder: user }
      const members = this.#members(file.text, from, { source: 'forward', rights: user.uid })
      return members.destinations.length === 0 ? undefined : members
    }
    return undefined
  }

  #members(
    text: string,
    origin: Origin,
    { source, rights }: { source: MailForm; rights: number | undefined },
  ): Members {
    return {
      destinations: parseAliasLines(text, this.#settings.lineLimit),
      inside: {
        ...origin,
        depth: origin.depth + 1,
        alias: '',
        isIndirect: true,
        source,
        rights: rights === 0 ? undefined : rights,
      },
    }
  }

  /**
   * @param written as in an alias; the extension is put behind its local part
   * @returns the address in full, and where it goes
   * @throws {ExpansionWait | ServiceError}
   */
  async resolve(
    recipient: Recipient,
    written: string,
    extension: string,
  ): Promise<{ address: string; reply: ResolveReply }> {
    const { complete, resolve } = this.#services
    const { local, domain } = splitAddress(written || 'MAILER-DAEMON')
    const address = await complete(local + extension + (domain === undefined ? '' : `@${domain}`))
    const reply = await resolve(this.#sender, address)
    if ((reply.flags & RESOLVE_FLAGS.fail) !== 0) {
      throw new ExpansionWait(recipient, { dsn: '4.3.0', reason: 'address resolver failure' })
    }
    return { address, reply }
  }
}
