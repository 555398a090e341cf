/**
 * mailbox-delivery - delivers to mailboxes with the rights of their owners
 *
 * When this process has the identity already (a rootless instance, or root's own mailbox), it writes itself; when it
 * is root, a helper process of that identity does it; else nobody can.
 */
import type { DeliveryJob } from '../delivery-job.ts'
import { QueueFileCorruptError } from '@posthorn/queue/queue-error'
import { deliverToMailbox } from './deliver-to-mailbox.ts'
import { HelperPool } from './helper-pool.ts'
import type { Identity } from './mailbox-helper.ts'
import type { MailboxJob, MailboxResult } from './mailbox-job.ts'

export class MailboxDelivery {
  private readonly pool: HelperPool

  constructor(pool: HelperPool = new HelperPool()) {
    this.pool = pool
  }

  /** Delivers the text of the request's message. A damaged queue file is marked, and deferred. */
  async deliver(
    identity: Identity,
    job: MailboxJob,
    delivery: DeliveryJob,
  ): Promise<MailboxResult> {
    const content = delivery.file.content(delivery.request.dataOffset, '\n')
    try {
      if (process.geteuid?.() === identity.uid) return await deliverToMailbox(job, content)
      if (process.geteuid?.() === 0) return await this.pool.deliver(identity, job, content)
    } catch (error) {
      if (!(error instanceof QueueFileCorruptError)) throw error
      delivery.file.markCorrupt()
      return {
        kind: 'failed',
        dsn: '4.3.0',
        reason: 'queue file corrupted',
        warnings: [`${delivery.request.queueId}: ${error.message}`],
      }
    }
    return {
      kind: 'failed',
      dsn: '4.3.5',
      reason: 'mail system configuration error',
      warnings: [`cannot deliver with the rights of uid ${identity.uid}: not started by root`],
    }
  }

  close(): void {
    this.pool.close()
  }
}
