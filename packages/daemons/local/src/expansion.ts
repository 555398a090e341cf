/**
 * expansion - what a recipient of local(8) comes to, once aliases and .forward files were looked at
 *
 *     recipient ──alias──▶ address of this service ──▶ looked at again, at most 100 deep
 *               │          other address, or of an :include: file, or of a list with an owner ──▶ forward
 *               ├─user──▶ .forward ──▶ the user ──▶ mailbox      somebody else ──▶ forward
 *               │         none ──▶ mailbox, or mailbox_transport
 *               └─nobody──▶ mailbox_transport, fallback_transport, luser_relay (as an alias); none ──▶ unknown
 *
 * Nothing is delivered before all is known: what cannot be found out now, or is a way that we do not go yet, makes the
 * whole recipient wait, and nobody gets the mail at every try. Who is met twice gets it once.
 *
 * Limits: duplicate_filter_limit destinations are remembered; nesting of 100.
 * Source: Postfix 3.7 local(8), aliases(5).
 */
import {
  foldCase,
  splitAddress,
  splitExtension,
  type SplitExtension,
} from '@posthorn/address/split-address'
import type { RelayedStatus } from '@posthorn/delivery/delivery-status'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import type { UserEntry } from '@posthorn/native/user'
import { NOTIFY_FLAGS, type Recipient } from '@posthorn/wire/attr-groups'
import { RESOLVE_FLAGS, type ResolveReply } from '@posthorn/wire/rewrite-protocol'
import { readForwardFile, readIncludeFile } from './alias-files.ts'
import type { AliasResult, AliasTables } from './alias-tables.ts'
import { parseAliasLines, parseAliasValue, type Destination } from './alias-value.ts'
import type { LocalSettings } from './local-settings.ts'
import { expandLuserRelay } from './luser-relay.ts'
import type { ForwardPaths } from './forward-paths.ts'
import type { MailboxRoutes, RouteName, Wait } from './mailbox-routes.ts'

const depthLimit = 100

/** What to do for a recipient; `recipient` is who is told and logged. */
export type Leaf =
  | { readonly kind: 'mailbox'; readonly recipient: Recipient; readonly user: UserEntry }
  | { readonly kind: 'discard'; readonly recipient: Recipient; readonly reason: string }
  | {
      readonly kind: 'failed'
      readonly recipient: Recipient
      readonly status: Omit<RelayedStatus, 'relay'>
    }
  /** A mailbox or maildir at this path; `rights`: whose, undefined: those of default_privs. */
  | {
      readonly kind: 'file'
      readonly recipient: Recipient
      readonly path: string
      readonly rights: number | undefined
    }
  /** An alias was taken; `action` is what the sender is told who wants to know (RFC 3464 2.3.3). */
  | {
      readonly kind: 'expanded'
      readonly recipient: Recipient
      readonly action: 'expanded' | 'delivered'
    }
  /** To the agent of `service:next-hop`. */
  | { readonly kind: 'pass'; readonly recipient: Recipient; readonly transport: string }
  /** `sender`: of the new message; undefined: that of this one. */
  | { readonly kind: 'forward'; readonly recipient: Recipient; readonly sender: string | undefined }

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

/** The whole recipient waits, for this reason. */
export class ExpansionWait extends Error {
  readonly code = 'POSTHORN_EXPANSION_WAIT'
  readonly wait: Wait
  readonly recipient: Recipient

  constructor(recipient: Recipient, wait: Wait) {
    super(wait.reason)
    this.wait = wait
    this.recipient = recipient
  }
}

/** How a recipient was come to. */
interface Origin {
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

export class Expansion {
  readonly #settings: LocalSettings
  readonly #services: ExpansionServices
  readonly #sender: string
  readonly #leaves: Leaf[] = []
  readonly #seen = new Set<string>()

  /** @param sender of the message */
  constructor(settings: LocalSettings, services: ExpansionServices, sender: string) {
    this.#settings = settings
    this.#sender = sender
    this.#services = services
  }

  /** @throws {ExpansionWait | ServiceError} */
  async expand(recipient: Recipient): Promise<readonly Leaf[]> {
    await this.#recipient(recipient, {
      depth: 0,
      alias: '',
      owner: undefined,
      isIndirect: false,
      forwarder: undefined,
      luserRelay: this.#settings.luserRelay,
      source: 'alias',
      rights: undefined,
    })
    return this.#leaves
  }

  async #recipient(recipient: Recipient, origin: Origin): Promise<void> {
    const { local: written } = splitAddress(recipient.recipient)
    if (written.startsWith('\\')) {
      // The user, whatever aliases and .forward files say.
      return this.#named({ ...recipient, recipient: recipient.recipient.slice(1) }, origin, false)
    }
    if (written === '') {
      const reason = `null username in "${recipient.recipient}"`
      this.#fail(recipient, { dsn: '5.1.3', reason })
      return
    }
    return this.#named(recipient, origin, true)
  }

  async #named(recipient: Recipient, origin: Origin, looksFurther: boolean): Promise<void> {
    const local = foldCase(splitAddress(recipient.recipient).local)
    const split = splitExtension(local, this.#settings.extensionRules) ?? {
      user: local,
      delimiter: '',
      extension: '',
    }
    if (looksFurther && (await this.#alias(recipient, local, split, origin))) return
    // A mailbox of somebody else is not ours to write to on the word of a file, or in the name of a list's owner.
    const isOwn = origin.forwarder !== undefined && split.user === foldCase(origin.forwarder.name)
    if (looksFurther && (origin.owner !== undefined || (origin.isIndirect && !isOwn))) {
      this.#forward(recipient, origin)
      return
    }
    const user = this.#findUser(recipient, split.user)
    if (user !== undefined && looksFurther && !isOwn) {
      if (await this.#forwardFile(recipient, user, split, origin)) return
    }
    if (await this.#route(recipient, 'mailbox_transport', split.user)) return
    if (user === undefined) {
      if (await this.#route(recipient, 'fallback_transport', split.user)) return
      return this.#unknown(recipient, split, origin)
    }
    if (await this.#route(recipient, 'mailbox_command', split.user)) return
    this.#add(`mailbox ${user.name}`, { kind: 'mailbox', recipient, user })
  }

  /** True when the recipient goes this way. */
  async #route(recipient: Recipient, name: RouteName, user: string): Promise<boolean> {
    const found = await this.#services.routes.find(name, user)
    if (found.kind === 'wait') throw new ExpansionWait(recipient, found.wait)
    const { value } = found
    if (value === '') return false
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
    this.#add(`pass ${value} ${foldCase(recipient.recipient)}`, {
      kind: 'pass',
      recipient,
      transport: value,
    })
    return true
  }

  #findUser(recipient: Recipient, name: string): UserEntry | undefined {
    try {
      return this.#services.findUser(name)
    } catch (error) {
      log.warning(`error looking up passwd info for ${name}: ${errorReason(error)}`)
      throw new ExpansionWait(recipient, { dsn: '4.0.0', reason: 'user lookup error' })
    }
  }

  /** True when there was an alias. */
  async #alias(
    recipient: Recipient,
    local: string,
    split: SplitExtension,
    origin: Origin,
  ): Promise<boolean> {
    if (origin.depth > depthLimit) {
      log.warning(`alias database loop for ${local}`)
      this.#fail(recipient, { dsn: '5.4.6', reason: `alias database loop for ${local}` })
      return true
    }
    for (const name of new Set([local, split.user])) {
      if (name === origin.alias) continue
      const found = await this.#lookUp(recipient, name)
      if (found === undefined) continue
      const destinations = parseAliasValue(found.value)
      if (destinations.length === 0) {
        log.warning(`no recipient in alias lookup result for ${name}`)
        throw new ExpansionWait(recipient, { dsn: '4.3.0', reason: 'alias database unavailable' })
      }
      const owner = await this.#owner(recipient, name, origin.owner)
      const isUnmatched = this.#settings.propagatesAlias && name !== local
      const extension = isUnmatched ? split.delimiter + split.extension : ''
      const inside = {
        ...origin,
        depth: origin.depth + 1,
        alias: name,
        owner,
        source: 'alias' as const,
        rights: found.ownerId,
      }
      const member = this.#tellExpanded(recipient, owner)
      for (const one of destinations) await this.#destination(member, one, inside, extension)
      return true
    }
    return false
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

  /** Who is told about mail for the alias that cannot be delivered, instead of the sender. */
  async #owner(
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

  async #destination(
    recipient: Recipient,
    destination: Destination,
    origin: Origin,
    extension = '',
  ): Promise<void> {
    switch (destination.kind) {
      case 'address':
        return this.#address(recipient, destination.address, origin, extension)
      case 'include':
        return this.#include(recipient, destination.path, origin)
      case 'file':
        this.#file(recipient, destination.path, origin)
        return
      case 'command':
        throw new ExpansionWait(recipient, notYet(`delivery to the command ${destination.command}`))
    }
  }

  #file(recipient: Recipient, path: string, { source, rights }: Origin): void {
    if (!this.#settings.allowsFiles.has(source)) {
      this.#fail(recipient, { dsn: '5.7.1', reason: 'mail to file is restricted' })
    } else if (path === '/dev/null') {
      const reason = `delivered to file: ${path}`
      this.#add(`file ${path}`, { kind: 'discard', recipient, reason })
    } else this.#add(`file ${path}`, { kind: 'file', recipient, path, rights })
  }

  async #address(
    recipient: Recipient,
    written: string,
    origin: Origin,
    extension: string,
  ): Promise<void> {
    const { complete, resolve } = this.#services
    const { local, domain } = splitAddress(written || 'MAILER-DAEMON')
    const address = await complete(local + extension + (domain === undefined ? '' : `@${domain}`))
    const reply = await resolve(this.#sender, address)
    if ((reply.flags & RESOLVE_FLAGS.fail) !== 0) {
      throw new ExpansionWait(recipient, { dsn: '4.3.0', reason: 'address resolver failure' })
    }
    if ((reply.flags & RESOLVE_FLAGS.error) !== 0) {
      this.#fail(recipient, {
        dsn: '5.1.3',
        reason: `bad recipient address syntax: ${address}`,
      })
      return
    }
    const found: Recipient =
      origin.owner === undefined
        ? { ...recipient, recipient: reply.recipient }
        : {
            ...listRecipient(recipient),
            recipient: reply.recipient,
            originalRecipient: reply.recipient,
          }
    if (reply.transport === this.#settings.relay) return this.#recipient(found, origin)
    this.#forward(found, origin)
  }

  #forward(recipient: Recipient, origin: Origin): void {
    this.#add(`forward ${origin.owner ?? ''} ${foldCase(recipient.recipient)}`, {
      kind: 'forward',
      recipient,
      sender: origin.owner,
    })
  }

  async #include(recipient: Recipient, path: string, origin: Origin): Promise<void> {
    if (origin.depth > depthLimit) {
      this.#fail(recipient, { dsn: '5.4.6', reason: `:include: file loop for ${path}` })
      return
    }
    if (this.#isSeen(`include ${path}`)) return
    const file = await readIncludeFile(path, origin.forwarder)
    if (file.kind === 'failed') {
      if (file.status.dsn.startsWith('4')) throw new ExpansionWait(recipient, file.status)
      this.#fail(recipient, file.status)
      return
    }
    const owner = origin.forwarder?.uid ?? file.ownerId
    const inside = {
      ...origin,
      depth: origin.depth + 1,
      alias: '',
      isIndirect: true,
      source: 'include' as const,
      rights: owner === 0 ? undefined : owner,
    }
    for (const one of parseAliasLines(file.text, this.#settings.lineLimit)) {
      await this.#destination(recipient, one, inside)
    }
  }

  /** True when the user has a .forward file that says something. */
  async #forwardFile(
    recipient: Recipient,
    user: UserEntry,
    split: SplitExtension,
    origin: Origin,
  ): Promise<boolean> {
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
      const destinations = parseAliasLines(file.text, this.#settings.lineLimit)
      if (destinations.length === 0) return false
      const inside = {
        ...origin,
        depth: origin.depth + 1,
        alias: '',
        isIndirect: true,
        forwarder: user,
        source: 'forward' as const,
        rights: user.uid === 0 ? undefined : user.uid,
      }
      const member = this.#tellExpanded(recipient, origin.owner)
      for (const one of destinations) await this.#destination(member, one, inside)
      return true
    }
    return false
  }

  /**
   * A sender who wants to know of success is told that there was an alias, or, of a list with an owner, that the list
   * got it; and of nothing after that.
   */
  #tellExpanded(recipient: Recipient, owner: string | undefined): Recipient {
    const { notifyFlags } = recipient
    if ((notifyFlags & NOTIFY_FLAGS.success) === 0) return recipient
    const action = owner === undefined ? 'expanded' : 'delivered'
    this.#leaves.push({ kind: 'expanded', recipient, action })
    return { ...recipient, notifyFlags: notifyFlags & ~NOTIFY_FLAGS.success }
  }

  async #unknown(recipient: Recipient, split: SplitExtension, origin: Origin): Promise<void> {
    const { luserRelay } = origin
    if (luserRelay !== '') {
      const target = expandLuserRelay(luserRelay, recipient.recipient, split)
      const inside = { ...origin, depth: origin.depth + 1, alias: '', luserRelay: '' }
      for (const one of parseAliasValue(target)) await this.#destination(recipient, one, inside)
    } else if (this.#isRequired(split.user)) {
      log.warning(`required alias not found: ${split.user}`)
      this.#add(`required ${split.user}`, { kind: 'discard', recipient, reason: 'discarded' })
    } else {
      this.#fail(recipient, { dsn: '5.1.1', reason: `unknown user: "${split.user}"` })
    }
  }

  /** Names that every mail system has, as aliases if not as users (RFC 5321 4.5.1). */
  #isRequired(user: string): boolean {
    return (
      user === 'postmaster' ||
      user === 'mailer-daemon' ||
      user === foldCase(this.#settings.doubleBounceSender)
    )
  }

  #fail(recipient: Recipient, status: Omit<RelayedStatus, 'relay'>): void {
    this.#add(`failed ${foldCase(recipient.recipient)} ${status.reason}`, {
      kind: 'failed',
      recipient,
      status,
    })
  }

  #add(key: string, leaf: Leaf): void {
    if (!this.#isSeen(key)) this.#leaves.push(leaf)
  }

  #isSeen(key: string): boolean {
    if (this.#seen.has(key)) return true
    const limit = this.#settings.duplicateLimit
    if (limit === 0 || this.#seen.size < limit) this.#seen.add(key)
    return false
  }
}

/** A list answers for its members itself: what the sender wanted to know of the recipient ends here (RFC 3461 5.2.7.3). */
function listRecipient(recipient: Recipient): Recipient {
  return { ...recipient, dsnOriginalRecipient: '', notifyFlags: 0 }
}

function notYet(what: string): Wait {
  return { dsn: '4.3.5', reason: `${what} is not available yet` }
}
