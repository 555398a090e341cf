/**
 * expansion-outcome - what an expansion of local(8) ends in: leaves, each once, or that the whole recipient waits
 *
 * Limits: duplicate_filter_limit destinations are remembered; who is met after that may get the mail twice.
 * Source: Postfix 3.7 local(8).
 */
import { foldCase } from '@posthorn/address/split-address'
import type { RelayedStatus } from '@posthorn/delivery/delivery-status'
import type { UserEntry } from '@posthorn/native/user'
import { NOTIFY_FLAGS, type Recipient } from '@posthorn/wire/attr-groups'
import type { Wait } from './mailbox-routes.ts'

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

export function notYet(what: string): Wait {
  return { dsn: '4.3.5', reason: `${what} is not available yet` }
}

export class Leaves {
  readonly #all: Leaf[] = []
  readonly #seen = new Set<string>()
  readonly #limit: number

  /** @param duplicateLimit 0: none */
  constructor(duplicateLimit: number) {
    this.#limit = duplicateLimit
  }

  get all(): readonly Leaf[] {
    return this.#all
  }

  /** Unless something with this key is there. */
  add(key: string, leaf: Leaf): void {
    if (!this.isSeen(key)) this.#all.push(leaf)
  }

  fail(recipient: Recipient, status: Omit<RelayedStatus, 'relay'>): void {
    this.add(`failed ${foldCase(recipient.recipient)} ${status.reason}`, {
      kind: 'failed',
      recipient,
      status,
    })
  }

  /** @param sender of the new message; undefined: that of this one */
  forward(recipient: Recipient, sender: string | undefined): void {
    this.add(`forward ${sender ?? ''} ${foldCase(recipient.recipient)}`, {
      kind: 'forward',
      recipient,
      sender,
    })
  }

  /**
   * A sender who wants to know of success is told that there was an alias, or, of a list with an owner, that the list
   * got it; and of nothing after that.
   */
  tellExpanded(recipient: Recipient, owner: string | undefined): Recipient {
    const { notifyFlags } = recipient
    if ((notifyFlags & NOTIFY_FLAGS.success) === 0) return recipient
    const action = owner === undefined ? 'expanded' : 'delivered'
    this.#all.push({ kind: 'expanded', recipient, action })
    return { ...recipient, notifyFlags: notifyFlags & ~NOTIFY_FLAGS.success }
  }

  /** True when this was asked before; remembers it. */
  isSeen(key: string): boolean {
    if (this.#seen.has(key)) return true
    if (this.#limit === 0 || this.#seen.size < this.#limit) this.#seen.add(key)
    return false
  }
}
