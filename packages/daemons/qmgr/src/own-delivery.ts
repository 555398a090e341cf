/**
 * own-delivery - the few recipients that the queue manager disposes of itself
 *
 * Recipients that not even the retry service takes are deferred here, and notices about failed notices of our own
 * end here. Both are recorded and logged as a delivery agent does it, with relay=none.
 */
import type { DeliveryContext } from '@posthorn/delivery/delivery-context'
import { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import type { Recipient } from '@posthorn/wire/attr-groups'
import { deliveryRequest } from './delivery-request.ts'
import type { QmgrSettings } from './qmgr-settings.ts'
import type { ActiveMessage } from './schedule/message.ts'
import type { Problem } from './schedule/problem.ts'

export async function deferRecipients(
  settings: QmgrSettings,
  context: DeliveryContext,
  message: ActiveMessage,
  recipients: readonly Recipient[],
  problem: Problem,
): Promise<void> {
  await withJob(settings, context, message, recipients, async (job) => {
    for (const recipient of recipients) {
      await job.deferred(recipient, { dsn: problem.status, reason: problem.reason, relay: 'none' })
    }
  })
}

/** Mail to double_bounce_sender@us: a notice about a failed notice could not be delivered. */
export async function discardRecipient(
  settings: QmgrSettings,
  context: DeliveryContext,
  message: ActiveMessage,
  recipient: Recipient,
): Promise<void> {
  await withJob(settings, context, message, [recipient], async (job) => {
    await job.sent(recipient, {
      dsn: '2.0.0',
      reason: 'undeliverable postmaster notification discarded',
      relay: 'none',
    })
  })
}

async function withJob(
  settings: QmgrSettings,
  context: DeliveryContext,
  message: ActiveMessage,
  recipients: readonly Recipient[],
  work: (job: DeliveryJob) => Promise<void>,
): Promise<void> {
  const file = OpenQueueFile.open(settings.layout, 'active', message.id, 'none')
  if (file === undefined) return
  try {
    const destination = { nexthop: '', loadsConnections: false, storesConnections: false }
    const request = deliveryRequest(settings, message, recipients, destination)
    const job = new DeliveryJob(context, request, recipients, file)
    await work(job)
    if (!job.isFinished) message.isDeferred = true
  } finally {
    file.close()
  }
}
