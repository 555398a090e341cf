/**
 * smtp-agent - delivers the messages that the queue manager hands to smtp(8) or lmtp(8)
 */
import type { DeliveryAgent, HopStatus } from '@posthorn/delivery/delivery-agent'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { ConnectionLoop } from './connection-loop.ts'
import { Delivery } from './delivery.ts'
import { findFlagTrouble } from './header-flags.ts'
import type { SmtpClient } from './smtp-client.ts'

export class SmtpAgent implements DeliveryAgent {
  readonly #client: SmtpClient

  constructor(client: SmtpClient) {
    this.#client = client
  }

  /** @throws {NexthopError} the destination cannot be one: the queue manager keeps the mail */
  async deliver(job: DeliveryJob): Promise<HopStatus | undefined> {
    const { headers, options, tables } = this.#client
    const relay = options.labels.service
    const { generic } = tables
    const trouble =
      headers.deliveredTo || headers.originalTo
        ? await findFlagTrouble(job, headers, relay, generic && (async (one) => generic.map(one)))
        : undefined
    if (trouble !== undefined) {
      for (const recipient of job.recipients) await job.failed(recipient, { ...trouble, relay })
      return undefined
    }
    const delivery = new Delivery(job, options.logsTlsStatus)
    await new ConnectionLoop(this.#client, delivery).run()
    return delivery.hopStatus
  }
}
