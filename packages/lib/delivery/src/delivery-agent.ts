/**
 * delivery-agent - serves one delivery request of the queue manager
 *
 *   announce, read the request, open and lock the queue file, let the agent deliver, reply, wait for the client
 *   to hang up, or for its next request when both know how
 *
 * A client that leaves without a request changed its mind. A request that cannot be read, or whose file is gone,
 * is answered with "something remains"; a file that is locked by somebody else, and a failure of the agent that
 * nobody understands, end the conversation without a reply: the queue manager then tries the message again later.
 * Source: Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import type { Client } from '@posthorn/daemon/service'
import { EndOfStreamError, type ByteStream } from '@posthorn/stream/byte-stream'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { QueueNameError } from '@posthorn/queue/queue-error'
import { parseQueueId } from '@posthorn/queue/queue-id'
import { parseQueueName } from '@posthorn/queue/queue-layout'
import { Channel } from '@posthorn/wire/channel'
import {
  DELIVERY_FLAGS,
  DeliveryReplyList,
  deliveryProtocol,
  emptyDsn,
  receiveDeliveryRequest,
  refusedDelivery,
  type DeliveryReply,
  type DeliveryRequest,
  type HopStatus,
  type ReceivedRequest,
} from '@posthorn/wire/delivery-request'
import { AttrError } from '@posthorn/wire/wire-error'
import type { DeliveryContext } from './delivery-context.ts'
import { DeliveryJob } from './delivery-job.ts'

export type { HopStatus } from '@posthorn/wire/delivery-request'

export interface DeliveryAgent {
  /**
   * Reports every recipient of the job once, then resolves. A hop status says that the destination as a whole
   * is out of reach: the queue manager holds back its other mail.
   */
  deliver: (job: DeliveryJob) => Promise<HopStatus | undefined>
}

/** Undefined: the client left, or the request was refused and the refusal sent. */
async function readRequest(channel: Channel): Promise<ReceivedRequest | undefined> {
  try {
    return await receiveDeliveryRequest(channel)
  } catch (error) {
    // it hung up before it had read our announcement
    if (error instanceof EndOfStreamError) return undefined
    if (!(error instanceof AttrError)) throw error
    log.warning(error.message)
    channel.send(DeliveryReplyList.encode(refusedDelivery))
    await channel.stream.flush()
    return undefined
  }
}

/** Undefined: no such message. @throws {QueueFileLockedError} the queue manager is loading it, or system errors */
function openFile(context: DeliveryContext, request: DeliveryRequest): OpenQueueFile | undefined {
  const { queueName, queueId } = request
  try {
    const queue = parseQueueName(queueName)
    const file = OpenQueueFile.open(context.layout, queue, parseQueueId(queueId), 'shared')
    if (file === undefined) log.warning(`open ${queueName} ${queueId}: No such file or directory`)
    return file
  } catch (error) {
    if (!(error instanceof QueueNameError)) throw error
    log.warning(error.message)
    return undefined
  }
}

async function work(
  context: DeliveryContext,
  agent: DeliveryAgent,
  { request, recipients }: ReceivedRequest,
): Promise<Omit<DeliveryReply, 'stays'>> {
  const file = openFile(context, request)
  if (file === undefined) return refusedDelivery
  try {
    const job = new DeliveryJob(context, request, recipients, file)
    const hopStatus = await agent.deliver(job)
    return { hopStatus: hopStatus ?? emptyDsn, status: job.isFinished ? 0 : -1 }
  } finally {
    file.close()
  }
}

/** One request of a client. The stream stays the caller's to close. */
export async function serveDeliveries(
  stream: ByteStream,
  client: Pick<Client, 'stay'>,
  agent: DeliveryAgent,
  context: DeliveryContext,
): Promise<void> {
  const channel = new Channel(stream)
  channel.announce(deliveryProtocol)
  const received = await readRequest(channel)
  if (received === undefined) return
  const reply = await work(context, agent, received)
  const stays = (received.request.flags & DELIVERY_FLAGS.stay) !== 0 && client.stay()
  channel.send(DeliveryReplyList.encode({ ...reply, stays }))
  try {
    await stream.flush()
    if (stays) return
    // the client hangs up when it has the reply; only then may it count this agent as free
    while (await stream.fill()) stream.take(stream.buffered.length)
  } catch (error) {
    // a queue manager that was told to reload has not waited; what was done is in the queue file
    if (!(error instanceof EndOfStreamError)) throw error
  }
}
