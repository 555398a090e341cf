/**
 * call-agent - a conversation with a delivery agent: one request, one answer
 *
 * An agent that cannot be reached is reported as no agent; the scheduler then holds its transport back.
 * Ends the process: an agent that says nothing for daemon_timeout (18000s), as Postfix's queue manager does.
 * Source: Postfix 3.7 qmgr(8).
 */
import { fatal, log } from '@posthorn/log/log'
import { EndOfStreamError, StreamTimeoutError } from '@posthorn/stream/byte-stream'
import type { Channel } from '@posthorn/wire/channel'
import type { ChannelPool } from '@posthorn/wire/channel-pool'
import {
  deliveryProtocol,
  encodeDeliveryRequest,
  receiveDeliveryReply,
} from '@posthorn/wire/delivery-request'
import { AttrError } from '@posthorn/wire/wire-error'
import { deliveryRequest } from './delivery-request.ts'
import { errorReason } from '@posthorn/native/system-error'
import type { QmgrSettings } from './qmgr-settings.ts'
import type { Entry } from './schedule/entry.ts'
import type { DeliveryResult, ReadyAgent } from './schedule/scheduler-host.ts'

/** @returns undefined when there is no agent; the log says why */
export async function callAgent(
  settings: QmgrSettings,
  pool: ChannelPool,
  transport: string,
): Promise<ReadyAgent | undefined> {
  const path = `private/${transport}`
  try {
    const channel = await pool.connect(path, {
      protocol: deliveryProtocol,
      timeoutMs: settings.daemonTimeoutMs,
    })
    return new AgentConversation(settings, pool, channel, transport)
  } catch (error) {
    if (error instanceof StreamTimeoutError) fatal(`timeout connecting to transport: ${transport}`)
    if (error instanceof EndOfStreamError) log.warning(`${path} socket: premature disconnect`)
    else if (error instanceof AttrError) reportMalformed(path, error)
    else log.warning(`connect to transport ${path}: ${errorReason(error)}`)
    return undefined
  }
}

class AgentConversation implements ReadyAgent {
  private readonly settings: QmgrSettings
  private readonly pool: ChannelPool
  private readonly channel: Channel
  private readonly transport: string

  constructor(settings: QmgrSettings, pool: ChannelPool, channel: Channel, transport: string) {
    this.settings = settings
    this.pool = pool
    this.channel = channel
    this.transport = transport
  }

  async deliver(entry: Entry): Promise<DeliveryResult> {
    const path = `private/${this.transport}`
    const { message, recipients, destination } = entry
    try {
      const request = deliveryRequest(this.settings, message, recipients, destination)
      this.channel.send(encodeDeliveryRequest(request, recipients))
      const { hopStatus, status, stays } = await receiveDeliveryReply(this.channel)
      if (stays) this.pool.release(path, this.channel)
      else this.channel.close()
      const hasProblem = hopStatus.status !== '' || hopStatus.reason !== ''
      return { kind: 'answered', status, problem: hasProblem ? hopStatus : undefined }
    } catch (error) {
      this.channel.close()
      if (error instanceof StreamTimeoutError) {
        fatal(`${message.id}: timeout receiving delivery status from transport: ${this.transport}`)
      }
      // That the agent is gone before it answered is no better than half an answer.
      if (error instanceof EndOfStreamError || error instanceof AttrError) {
        reportMalformed(path, error)
        return { kind: 'broken' }
      }
      log.warning(`write to process (${this.transport}): ${errorReason(error)}`)
      return { kind: 'unsent' }
    }
  }

  close(): void {
    this.channel.close()
  }
}

/** What exactly was wrong is worth a line only when something was said. */
function reportMalformed(path: string, error: Error): void {
  if (error instanceof AttrError) log.warning(`${path} socket: ${error.message}`)
  log.warning(`${path} socket: malformed response`)
}
