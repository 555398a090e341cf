/**
 * pass-on - gives a recipient to another delivery agent: best_mx_transport, mailbox_transport, fallback_transport
 *
 * That agent logs and records what becomes of the recipient, and marks it in the queue file, as if the queue manager
 * had asked it. What it thinks of the destination as a whole is not for us to use.
 * Source: Postfix 3.7 local(8), smtp(8).
 */
import { quoteAddress } from '@posthorn/address/quote-address'

import { log } from '@posthorn/log/log'
import { Channel } from '@posthorn/wire/channel'
import {
  deliveryProtocol,
  encodeDeliveryRequest,
  receiveDeliveryReply,
  type Recipient,
} from '@posthorn/wire/delivery-request'
import type { DeliveryJob } from './delivery-job.ts'

/**
 * @param transport `service:next-hop`; without next-hop that of the request
 * @returns true when the recipient was delivered or bounced
 * @throws the agent cannot be reached, or does not answer as it should
 */
export async function passOn(
  job: DeliveryJob,
  recipient: Recipient,
  transport: string,
  timeoutMs: number,
): Promise<boolean> {
  const colon = transport.indexOf(':')
  const service = colon < 0 ? transport : transport.slice(0, colon)
  const nexthop = colon < 0 ? '' : transport.slice(colon + 1)
  log.info(
    `${job.request.queueId}: passing <${quoteAddress(recipient.recipient)}> to transport=${service}`,
  )
  const channel = await Channel.connect(`private/${service}`, {
    protocol: deliveryProtocol,
    timeoutMs,
  })
  try {
    const { request } = job
    const stats = { ...request.stats, agentMs: job.times.agentMs }
    const passed = { ...request, nexthop: nexthop || request.nexthop, stats }
    channel.send(encodeDeliveryRequest(passed, [recipient]))
    return (await receiveDeliveryReply(channel)).status === 0
  } finally {
    channel.close()
  }
}
