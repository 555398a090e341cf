/**
 * mailbox-job - one message for one mailbox, and how that ended
 *
 * The job is plain values, so that it can go to a helper process (mailbox-helper.ts); the text of the message goes
 * beside it. What the result says is for the agent to put into its own words and log.
 */
import { defineList, int, long, text, type ListDefinition } from '@posthorn/wire/attr-schema'

/** How to keep others from writing to an mbox file: mailbox_delivery_lock, virtual_mailbox_lock. */
export interface MailboxLocking {
  /** Words of `flock fcntl dotlock`, in any order, with blanks between them. */
  readonly methods: string
  /** deliver_lock_attempts, deliver_lock_delay, stale_lock_time */
  readonly attempts: number
  readonly delaySeconds: number
  readonly staleSeconds: number
}

export interface MailboxJob extends MailboxLocking {
  /** Ends in `/`: a maildir. */
  readonly path: string
  /** Whom a new file belongs to, and an old one must. */
  readonly uid: number
  readonly gid: number
  /** strict_mailbox_ownership: 1 or 0. */
  readonly checksOwner: number
  /**
   * 1: an alias or .forward file names it, which might be anything: it must not be a program, and if no dotlock can be
   * made beside it, it does without. 0: a mailbox.
   */
  readonly isNamedFile: number
  /** Of the mbox file, or of the file in the maildir; 0 = none. */
  readonly sizeLimitBytes: number
  /** Enhanced status code of failures that speak against the mailbox: 5.2.0 for local(8), 4.2.0 for virtual(8). */
  readonly mailboxFault: string
  /** Lines that go before the message; for an mbox file the `From ` line too. */
  readonly head: string
}

export type MailboxResult =
  /** `warnings`: for the log. */
  | { readonly kind: 'delivered'; readonly warnings: readonly string[] }
  /** The class of the status code says whether there is another try. */
  | {
      readonly kind: 'failed'
      readonly dsn: string
      readonly reason: string
      readonly warnings: readonly string[]
    }

export function isMaildir(path: string): boolean {
  return path.endsWith('/')
}

export const MailboxJobList: ListDefinition<MailboxJob> = defineList({
  path: text('path'),
  uid: long('uid'),
  gid: long('gid'),
  checksOwner: int('checks_owner'),
  isNamedFile: int('is_named_file'),
  sizeLimitBytes: long('size_limit'),
  mailboxFault: text('mailbox_fault'),
  methods: text('locks'),
  attempts: int('lock_attempts'),
  delaySeconds: int('lock_delay'),
  staleSeconds: int('stale_lock_time'),
  head: text('head'),
})

/** An empty status code: delivered. Warnings are lines. */
export const MailboxResultList: ListDefinition<{
  readonly dsn: string
  readonly reason: string
  readonly warnings: string
}> = defineList({ dsn: text('dsn'), reason: text('reason'), warnings: text('warnings') })
