/**
 * local-agent - delivers to the users of this system, and to whom aliases and .forward files name
 *
 *     recipient ──was here before?──▶ 5.4.6
 *               └─ expansion.ts ──▶ mailboxes, discards, failures: at once      the rest: one new message
 *
 * The new message comes last, and only when nothing before it has to be tried again. A recipient that is one mailbox,
 * its own, is reported as such; else what it comes to is reported, each for itself, and the recipient is done when all
 * of it is.
 *
 * Decisions are made by the local part in lower case, without its extension; who is told and logged is the address as
 * it came. Source: Postfix 3.7 local(8).
 */
import { statSync } from 'node:fs'
import { foldCase } from '@posthorn/address/split-address'
import type { DeliveryAgent } from '@posthorn/delivery/delivery-agent'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { mailboxHead } from '@posthorn/delivery/mailbox/mailbox-head'
import type { MailboxDelivery } from '@posthorn/delivery/mailbox/mailbox-delivery'
import type { Identity } from '@posthorn/delivery/mailbox/mailbox-helper'
import {
  isMaildir,
  type MailboxJob,
  type MailboxResult,
} from '@posthorn/delivery/mailbox/mailbox-job'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import type { UserEntry } from '@posthorn/native/user'
import { QueueFileCorruptError } from '@posthorn/queue/queue-error'
import { NOTIFY_FLAGS, type Recipient } from '@posthorn/wire/attr-groups'
import { ServiceError } from '@posthorn/wire/wire-error'
import { readDeliveredTo } from './delivered-to.ts'
import type { ExpansionServices } from './expansion-lookups.ts'
import { ExpansionWait, type Leaf } from './expansion-outcome.ts'
import { Expansion } from './expansion.ts'
import type { LocalSettings } from './local-settings.ts'
import { mailboxPlace } from './mailbox-place.ts'

export interface LocalServices extends ExpansionServices {
  readonly mailboxes: Pick<MailboxDelivery, 'deliver'>
  /** The user of this number; undefined: the one of default_privs. Undefined: there is no such user. */
  readonly findIdentity: (uid: number | undefined) => Identity | undefined
  /** True when the recipient is done. @throws the agent is lost */
  readonly passOn: (job: DeliveryJob, recipient: Recipient, transport: string) => Promise<boolean>
  /** The queue id of the new message. @throws it could not be sent */
  readonly forward: (
    job: DeliveryJob,
    sender: string,
    recipients: readonly Recipient[],
    deliveredTo: string,
  ) => Promise<string | undefined>
}

export function localAgent(settings: LocalSettings, services: LocalServices): DeliveryAgent {
  const { relay } = settings
  return {
    async deliver(job) {
      const before = deliveredBefore(job)
      for (const recipient of job.recipients) {
        if (before === undefined) await job.deferred(recipient, { ...damaged, relay })
        else if (before.has(foldCase(recipient.recipient))) {
          const reason = `mail forwarding loop for ${recipient.recipient}`
          await job.bounced(recipient, { dsn: '5.4.6', reason, relay })
        } else await new LocalDelivery(settings, services, job, recipient).run()
      }
      return undefined
    },
  }
}

const damaged = { dsn: '4.3.0', reason: 'queue file corrupted' }

/** Undefined: the queue file is damaged, and is now marked so. */
function deliveredBefore(job: DeliveryJob): ReadonlySet<string> | undefined {
  try {
    return readDeliveredTo(job.file.fd, job.request.dataOffset)
  } catch (error) {
    if (!(error instanceof QueueFileCorruptError)) throw error
    log.warning(`${job.request.queueId}: ${error.message}`)
    job.file.markCorrupt()
    return undefined
  }
}

/** One recipient. */
class LocalDelivery {
  private readonly settings: LocalSettings
  private readonly services: LocalServices
  private readonly job: DeliveryJob
  /** As it came: what X-Original-To: and Delivered-To: say. */
  private readonly recipient: Recipient

  constructor(
    settings: LocalSettings,
    services: LocalServices,
    job: DeliveryJob,
    recipient: Recipient,
  ) {
    this.settings = settings
    this.services = services
    this.job = job
    this.recipient = recipient
  }

  async run(): Promise<void> {
    const { job, recipient, settings } = this
    let leaves: readonly Leaf[]
    try {
      leaves = await new Expansion(settings, this.services, job.request.sender).expand(recipient)
    } catch (error) {
      if (error instanceof ServiceError) {
        log.warning(`${job.request.queueId}: ${error.message}`)
        const reason = 'address resolver failure'
        await job.deferred(recipient, { dsn: '4.3.0', reason, relay: settings.relay })
        return
      }
      if (!(error instanceof ExpansionWait)) throw error
      const who = { ...error.recipient, offset: recipient.offset }
      await job.deferred(who, { ...error.wait, relay: settings.relay })
      return
    }
    if (!leaves.some((leaf) => leaf.kind !== 'expanded')) {
      // Postfix says nothing here; a message that goes nowhere is worth a line.
      const reason = 'discarded, the alias names nobody'
      await job.sent(recipient, { dsn: '2.0.0', reason, relay: settings.relay })
      return
    }
    const [first] = leaves
    if (leaves.length === 1 && first !== undefined && first.kind !== 'forward') {
      await this.deliver(job, first, first.recipient)
      return
    }
    const forwards = job.isProbe ? [] : groupBySender(job, leaves)
    const others = leaves.filter((leaf) => job.isProbe || leaf.kind !== 'forward')
    // What the recipient comes to has no record of its own in the queue file.
    const parts = [...others.map((leaf) => leaf.recipient), ...forwards.map(() => recipient)]
    const partial = job.expansion(parts)
    for (const [at, leaf] of others.entries()) {
      await this.deliver(partial, leaf, partial.recipients[at] ?? leaf.recipient)
    }
    if (partial.finishedCount < others.length) return
    for (const [at, [sender, recipients]] of forwards.entries()) {
      await this.forward(
        partial,
        partial.recipients[others.length + at] ?? recipient,
        sender,
        recipients,
      )
    }
    if (partial.isFinished) job.completed(recipient)
  }

  private async deliver(job: DeliveryJob, leaf: Leaf, recipient: Recipient): Promise<void> {
    const { relay } = this.settings
    switch (leaf.kind) {
      case 'mailbox':
        return this.deliverToUser(job, recipient, leaf.user)
      case 'file':
        return this.deliverToFile(job, recipient, leaf.path, leaf.rights)
      case 'discard':
        return job.sent(recipient, { dsn: '2.0.0', reason: leaf.reason, relay })
      case 'failed':
        return job.failed(recipient, { ...leaf.status, relay })
      case 'expanded': {
        const status = { dsn: '2.0.0', reason: 'alias expanded', relay }
        if (await job.trace(recipient, status, leaf.action)) job.completed(recipient)
        else await job.deferred(recipient, { dsn: '4.3.0', reason: 'trace service failed', relay })
        return
      }
      case 'pass':
        return this.passOn(job, recipient, leaf.transport)
      case 'forward': {
        const reason = `forwards to ${recipient.recipient}`
        return job.sent(recipient, { dsn: '2.0.0', reason, relay })
      }
    }
  }

  private async passOn(job: DeliveryJob, recipient: Recipient, transport: string): Promise<void> {
    try {
      if (await this.services.passOn(job, recipient, transport)) job.completed(recipient)
    } catch (error) {
      log.warning(`mail transport ${transport}: ${errorReason(error)}`)
      const { relay } = this.settings
      await job.deferred(recipient, { dsn: '4.3.0', reason: 'mail transport unavailable', relay })
    }
  }

  private async forward(
    job: DeliveryJob,
    recipient: Recipient,
    sender: string,
    recipients: readonly Recipient[],
  ): Promise<void> {
    const { relay } = this.settings
    let queueId: string | undefined
    try {
      queueId = await this.services.forward(this.job, sender, recipients, this.recipient.recipient)
    } catch (error) {
      if (error instanceof QueueFileCorruptError) this.job.file.markCorrupt()
      log.warning(`${job.request.queueId}: ${errorReason(error)}`)
    }
    if (queueId === undefined) {
      await job.deferred(recipient, { dsn: '4.3.0', reason: 'unable to forward message', relay })
    } else {
      // Of success the sender was told when the alias was taken; the relay of luser_relay passes the wish on.
      const notifyFlags = recipient.notifyFlags & ~NOTIFY_FLAGS.success
      const reason = `forwarded as ${queueId}`
      await job.sent({ ...recipient, notifyFlags }, { dsn: '2.0.0', reason, relay })
    }
  }

  private async deliverToUser(
    job: DeliveryJob,
    recipient: Recipient,
    user: UserEntry,
  ): Promise<void> {
    const { settings } = this
    const { relay } = settings
    if (settings.requiresHome && !(await this.hasHome(job, recipient, user))) return
    const { path, rights } = mailboxPlace(settings, user)
    const kind = isMaildir(path) ? 'maildir' : 'mailbox'
    if (job.isProbe) {
      await job.sent(recipient, { dsn: '2.0.0', reason: `delivers to ${kind}`, relay })
      return
    }
    const result = await this.write(job, recipient, path, rights, {
      uid: user.uid,
      gid: user.gid,
      checksOwner: settings.checksOwner ? 1 : 0,
      isNamedFile: 0,
    })
    if (result.kind === 'delivered') {
      await job.sent(recipient, { dsn: '2.0.0', reason: `delivered to ${kind}`, relay })
      return
    }
    for (const warning of result.warnings) log.warning(warning)
    const what =
      kind === 'maildir'
        ? 'maildir delivery failed: '
        : `cannot update mailbox ${path} for user ${user.name}. `
    await job.failed(recipient, { dsn: result.dsn, reason: what + result.reason, relay })
  }

  /** To a file that an alias or a .forward file names. */
  private async deliverToFile(
    job: DeliveryJob,
    recipient: Recipient,
    path: string,
    owner: number | undefined,
  ): Promise<void> {
    const { relay } = this.settings
    if (job.isProbe) {
      await job.sent(recipient, { dsn: '2.0.0', reason: `delivers to file: ${path}`, relay })
      return
    }
    const rights = this.services.findIdentity(owner)
    if (rights === undefined) {
      log.warning(`cannot find the user whose rights delivery to ${path} needs`)
      const reason = 'mail system configuration error'
      await job.deferred(recipient, { dsn: '4.3.5', reason, relay })
      return
    }
    const { uid, gid } = rights
    const result = await this.write(job, recipient, path, rights, {
      uid,
      gid,
      checksOwner: 0,
      isNamedFile: 1,
    })
    for (const warning of result.warnings) log.warning(warning)
    if (result.kind === 'delivered') {
      const reason = isMaildir(path) ? 'delivered to maildir' : `delivered to file: ${path}`
      await job.sent(recipient, { dsn: '2.0.0', reason, relay })
      return
    }
    const what = isMaildir(path)
      ? 'maildir delivery failed: '
      : `cannot append message to file ${path}: `
    await job.failed(recipient, { dsn: result.dsn, reason: what + result.reason, relay })
  }

  private async write(
    job: DeliveryJob,
    recipient: Recipient,
    path: string,
    rights: Identity,
    owner: Pick<MailboxJob, 'uid' | 'gid' | 'checksOwner' | 'isNamedFile'>,
  ): Promise<MailboxResult> {
    const { settings } = this
    const head = {
      sender: job.request.sender,
      originalRecipient: settings.addsOriginalRecipient ? this.recipient.originalRecipient : '',
      deliveredTo: settings.addsDeliveredTo ? this.deliveredTo(recipient) : '',
    }
    return this.services.mailboxes.deliver(
      rights,
      {
        path,
        ...owner,
        sizeLimitBytes: settings.sizeLimitBytes,
        mailboxFault: '5.2.0',
        head: mailboxHead(head, !isMaildir(path), Date.now()),
        ...settings.locking,
      },
      job,
    )
  }

  /** frozen_delivered_to: whom the message came for, whatever that came to. */
  private deliveredTo(recipient: Recipient): string {
    return this.settings.freezesDeliveredTo ? this.recipient.recipient : recipient.recipient
  }

  private async hasHome(job: DeliveryJob, recipient: Recipient, user: UserEntry): Promise<boolean> {
    try {
      // eslint-disable-next-line n/no-sync -- cached metadata, 6 us (docs/performance.md 7)
      statSync(user.home)
      return true
    } catch (error) {
      const reason = `cannot access home directory ${user.home}: ${errorReason(error)}`
      await job.deferred(recipient, { dsn: '4.3.0', reason, relay: this.settings.relay })
      return false
    }
  }
}

/** One new message for each envelope sender. */
function groupBySender(job: DeliveryJob, leaves: readonly Leaf[]): [string, Recipient[]][] {
  const groups = new Map<string, Recipient[]>()
  for (const leaf of leaves) {
    if (leaf.kind !== 'forward') continue
    const sender = leaf.sender ?? job.request.sender
    const group = groups.get(sender)
    if (group === undefined) groups.set(sender, [leaf.recipient])
    else group.push(leaf.recipient)
  }
  return [...groups]
}
