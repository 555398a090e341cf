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
 * expansion-lookups.ts asks, expansion-outcome.ts remembers; here is who is asked next. Limits: nesting of 100.
 * Source: Postfix 3.7 local(8), aliases(5).
 */
import {
  foldCase,
  splitAddress,
  splitExtension,
  type SplitExtension,
} from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import type { UserEntry } from '@posthorn/native/user'
import type { Recipient } from '@posthorn/wire/attr-groups'
import { RESOLVE_FLAGS } from '@posthorn/wire/rewrite-protocol'
import { parseAliasValue, type Destination } from './alias-value.ts'
import { ExpansionLookups, type ExpansionServices, type Origin } from './expansion-lookups.ts'
import { ExpansionWait, Leaves, notYet, type Leaf } from './expansion-outcome.ts'
import type { LocalSettings } from './local-settings.ts'
import { expandLuserRelay } from './luser-relay.ts'
import type { RouteName } from './mailbox-routes.ts'

const depthLimit = 100

export class Expansion {
  readonly #settings: LocalSettings
  readonly #lookups: ExpansionLookups
  readonly #leaves: Leaves

  /** @param sender of the message */
  constructor(settings: LocalSettings, services: ExpansionServices, sender: string) {
    this.#settings = settings
    this.#lookups = new ExpansionLookups(settings, services, sender)
    this.#leaves = new Leaves(settings.duplicateLimit)
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
    return this.#leaves.all
  }

  async #recipient(recipient: Recipient, origin: Origin): Promise<void> {
    const { local: written } = splitAddress(recipient.recipient)
    if (written.startsWith('\\')) {
      // The user, whatever aliases and .forward files say.
      return this.#named({ ...recipient, recipient: recipient.recipient.slice(1) }, origin, false)
    }
    if (written === '') {
      const reason = `null username in "${recipient.recipient}"`
      this.#leaves.fail(recipient, { dsn: '5.1.3', reason })
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
      this.#leaves.forward(recipient, origin.owner)
      return
    }
    const user = this.#lookups.findUser(recipient, split.user)
    if (user !== undefined && looksFurther && !isOwn) {
      if (await this.#forwardFile(recipient, user, split, origin)) return
    }
    if (await this.#route(recipient, 'mailbox_transport', split.user)) return
    if (user === undefined) {
      if (await this.#route(recipient, 'fallback_transport', split.user)) return
      return this.#unknown(recipient, split, origin)
    }
    if (await this.#route(recipient, 'mailbox_command', split.user)) return
    this.#leaves.add(`mailbox ${user.name}`, { kind: 'mailbox', recipient, user })
  }

  /** True when the recipient goes this way. */
  async #route(recipient: Recipient, name: RouteName, user: string): Promise<boolean> {
    const transport = await this.#lookups.findRoute(recipient, name, user)
    if (transport === '') return false
    const key = `pass ${transport} ${foldCase(recipient.recipient)}`
    this.#leaves.add(key, { kind: 'pass', recipient, transport })
    return true
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
      this.#leaves.fail(recipient, { dsn: '5.4.6', reason: `alias database loop for ${local}` })
      return true
    }
    for (const name of new Set([local, split.user])) {
      if (name === origin.alias) continue
      const found = await this.#lookups.findAlias(recipient, name, origin)
      if (found === undefined) continue
      const isUnmatched = this.#settings.propagatesAlias && name !== local
      const extension = isUnmatched ? split.delimiter + split.extension : ''
      const member = this.#leaves.tellExpanded(recipient, found.inside.owner)
      for (const one of found.destinations) {
        await this.#destination(member, one, found.inside, extension)
      }
      return true
    }
    return false
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
      this.#leaves.fail(recipient, { dsn: '5.7.1', reason: 'mail to file is restricted' })
    } else if (path === '/dev/null') {
      const reason = `delivered to file: ${path}`
      this.#leaves.add(`file ${path}`, { kind: 'discard', recipient, reason })
    } else this.#leaves.add(`file ${path}`, { kind: 'file', recipient, path, rights })
  }

  async #address(
    recipient: Recipient,
    written: string,
    origin: Origin,
    extension: string,
  ): Promise<void> {
    const { address, reply } = await this.#lookups.resolve(recipient, written, extension)
    if ((reply.flags & RESOLVE_FLAGS.error) !== 0) {
      this.#leaves.fail(recipient, {
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
    this.#leaves.forward(found, origin.owner)
  }

  async #include(recipient: Recipient, path: string, origin: Origin): Promise<void> {
    if (origin.depth > depthLimit) {
      this.#leaves.fail(recipient, { dsn: '5.4.6', reason: `:include: file loop for ${path}` })
      return
    }
    if (this.#leaves.isSeen(`include ${path}`)) return
    const found = await this.#lookups.readInclude(recipient, path, origin)
    if ('dsn' in found) this.#leaves.fail(recipient, found)
    else for (const one of found.destinations) await this.#destination(recipient, one, found.inside)
  }

  /** True when the user has a .forward file that says something. */
  async #forwardFile(
    recipient: Recipient,
    user: UserEntry,
    split: SplitExtension,
    origin: Origin,
  ): Promise<boolean> {
    const found = await this.#lookups.readForward(recipient, user, split, origin)
    if (found === undefined) return false
    const member = this.#leaves.tellExpanded(recipient, origin.owner)
    for (const one of found.destinations) await this.#destination(member, one, found.inside)
    return true
  }

  async #unknown(recipient: Recipient, split: SplitExtension, origin: Origin): Promise<void> {
    const { luserRelay } = origin
    if (luserRelay !== '') {
      const target = expandLuserRelay(luserRelay, recipient.recipient, split)
      const inside = { ...origin, depth: origin.depth + 1, alias: '', luserRelay: '' }
      for (const one of parseAliasValue(target)) await this.#destination(recipient, one, inside)
    } else if (this.#isRequired(split.user)) {
      log.warning(`required alias not found: ${split.user}`)
      this.#leaves.add(`required ${split.user}`, {
        kind: 'discard',
        recipient,
        reason: 'discarded',
      })
    } else {
      this.#leaves.fail(recipient, { dsn: '5.1.1', reason: `unknown user: "${split.user}"` })
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
}

/** A list answers for its members itself: what the sender wanted to know of the recipient ends here (RFC 3461 5.2.7.3). */
function listRecipient(recipient: Recipient): Recipient {
  return { ...recipient, dsnOriginalRecipient: '', notifyFlags: 0 }
}
