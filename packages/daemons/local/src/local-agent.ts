/**
 * local-agent - delivers to the mailboxes of the users of this system
 *
 *     recipient ──was here before?──▶ 5.4.6     user of the system? ──▶ mailbox or maildir
 *                                               └─ no ──▶ luser_relay, or required name ──▶ discarded, or 5.1.1
 *
 * Before each step: does main.cf send this mail elsewhere (mailbox-routes.ts)? Then it waits.
 *
 * Decisions are made by the local part in lower case, without its extension; who is told and logged is the address as
 * it came. Source: Postfix 3.7 local(8).
 */
import {
  foldCase,
  splitAddress,
  splitExtension,
  type SplitExtension,
} from '@posthorn/address/split-address'
import type { DeliveryAgent } from '@posthorn/delivery/delivery-agent'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { mailboxHead } from '@posthorn/delivery/mailbox/mailbox-head'
import type { MailboxDelivery } from '@posthorn/delivery/mailbox/mailbox-delivery'
import { isMaildir } from '@posthorn/delivery/mailbox/mailbox-job'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { findUser, type UserEntry } from '@posthorn/native/user'
import { QueueFileCorruptError } from '@posthorn/queue/queue-error'
import type { Recipient } from '@posthorn/wire/delivery-request'

import { statSync } from 'node:fs'
import { readDeliveredTo } from './delivered-to.ts'
import type { LocalSettings } from './local-settings.ts'
import { expandLuserRelay } from './luser-relay.ts'
import { mailboxPlace } from './mailbox-place.ts'
import type { MailboxRoutes, Wait } from './mailbox-routes.ts'

const relay = 'local'

export interface LocalServices {
  readonly routes: MailboxRoutes
  readonly mailboxes: Pick<MailboxDelivery, 'deliver'>
  /** @throws {SystemError} the accounts cannot be asked */
  readonly findUser: (name: string) => UserEntry | undefined
  /** Completes an address: internal form in and out. @throws {ServiceError} */
  readonly complete: (address: string) => Promise<string>
}

export const systemUsers = { findUser }

export function localAgent(settings: LocalSettings, services: LocalServices): DeliveryAgent {
  return {
    async deliver(job) {
      const before = deliveredBefore(job)
      for (const recipient of job.recipients) {
        if (before === undefined) await job.deferred(recipient, { ...damaged, relay })
        else if (before.has(foldCase(recipient.recipient))) await bounceLoop(job, recipient)
        else await new LocalDelivery(settings, services, job, recipient).run()
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

async function bounceLoop(job: DeliveryJob, recipient: Recipient): Promise<void> {
  const reason = `mail forwarding loop for ${recipient.recipient}`
  await job.bounced(recipient, { dsn: '5.4.6', reason, relay })
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
    await this.deliverTo(this.recipient, this.settings.luserRelay)
  }

  /** @param luserRelay who gets the mail when there is no such user */
  private async deliverTo(recipient: Recipient, luserRelay: string): Promise<void> {
    const { job, settings } = this
    const { routes } = this.services
    const local = foldCase(splitAddress(recipient.recipient).local)
    if (local === '') {
      const reason = `null username in "${recipient.recipient}"`
      await job.bounced(recipient, { dsn: '5.1.3', reason, relay })
      return
    }
    const split = splitExtension(local, settings.extensionRules) ?? {
      user: local,
      delimiter: '',
      extension: '',
    }
    const aliased = await routes.checkAliases(local, split.user)
    if (aliased !== undefined) return this.defer(recipient, aliased)
    let user: UserEntry | undefined
    try {
      user = this.services.findUser(split.user)
    } catch (error) {
      log.warning(`error looking up passwd info for ${split.user}: ${errorReason(error)}`)
      return this.defer(recipient, { dsn: '4.0.0', reason: 'user lookup error' })
    }
    const elsewhere =
      (user && routes.checkForward(user, recipient.recipient, split)) ??
      (await routes.checkTransport(split.user)) ??
      (await (user ? routes.checkCommand(split.user) : routes.checkFallback(split.user)))
    if (elsewhere !== undefined) return this.defer(recipient, elsewhere)
    return user
      ? this.deliverToUser(recipient, user)
      : this.deliverUnknown(recipient, split, luserRelay)
  }

  private async deliverUnknown(
    recipient: Recipient,
    split: SplitExtension,
    luserRelay: string,
  ): Promise<void> {
    if (luserRelay !== '') {
      await this.relayTo(recipient, expandLuserRelay(luserRelay, recipient.recipient, split))
    } else if (this.isRequired(split.user)) {
      log.warning(`required alias not found: ${split.user}`)
      await this.job.sent(recipient, { dsn: '2.0.0', reason: 'discarded', relay })
    } else {
      const reason = `unknown user: "${split.user}"`
      await this.job.bounced(recipient, { dsn: '5.1.1', reason, relay })
    }
  }

  private async defer(recipient: Recipient, wait: Wait): Promise<void> {
    await this.job.deferred(recipient, { ...wait, relay })
  }

  private async deliverToUser(recipient: Recipient, user: UserEntry): Promise<void> {
    const { job, settings } = this
    if (settings.requiresHome && !(await this.hasHome(recipient, user))) return
    const { path, rights } = mailboxPlace(settings, user)
    const kind = isMaildir(path) ? 'maildir' : 'mailbox'
    if (job.isProbe) {
      await job.sent(recipient, { dsn: '2.0.0', reason: `delivers to ${kind}`, relay })
      return
    }
    const head = {
      sender: job.request.sender,
      originalRecipient: settings.addsOriginalRecipient ? this.recipient.originalRecipient : '',
      deliveredTo: settings.addsDeliveredTo ? this.recipient.recipient : '',
    }
    const result = await this.services.mailboxes.deliver(
      rights,
      {
        path,
        uid: user.uid,
        gid: user.gid,
        checksOwner: settings.checksOwner ? 1 : 0,
        sizeLimitBytes: settings.sizeLimitBytes,
        mailboxFault: '5.2.0',
        head: mailboxHead(head, kind === 'mailbox', Date.now()),
        ...settings.locking,
      },
      job,
    )
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

  private async hasHome(recipient: Recipient, user: UserEntry): Promise<boolean> {
    try {
      // eslint-disable-next-line n/no-sync -- see above
      statSync(user.home)
      return true
    } catch (error) {
      const reason = `cannot access home directory ${user.home}: ${errorReason(error)}`
      await this.job.deferred(recipient, { dsn: '4.3.0', reason, relay })
      return false
    }
  }

  /** Names that every mail system has, as aliases if not as users (RFC 5321 4.5.1). */
  private isRequired(user: string): boolean {
    return (
      user === 'postmaster' ||
      user === 'mailer-daemon' ||
      user === foldCase(this.settings.doubleBounceSender)
    )
  }

  /** The relay must be a user of this system, too: a second unknown user is the end of it. */
  private async relayTo(recipient: Recipient, target: string): Promise<void> {
    if (/^[|/:]/.test(target)) {
      log.warning(`luser_relay: cannot deliver to "${target}": only addresses are supported`)
      return this.defer(recipient, { dsn: '4.3.5', reason: 'mail system configuration error' })
    }
    const address = await this.services.complete(target)
    await this.deliverTo({ ...recipient, recipient: address }, '')
  }
}
