/**
 * cleanup-session - one client, one message
 *
 *   token (flow control)  ->  queue file  ->  announcement  ->  flags  ->  records  ->  verdict
 *
 * Once something is wrong the rest of the records is read and thrown away, so that the client can finish writing before
 * it hears the verdict. A client that leaves before its END record cancels the message.
 *
 * Holds: one queue file. Success is said when the file is on the disk (commit-message.ts).
 * Source: Postfix 3.7 cleanup(8).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { RecordError } from '@posthorn/queue/queue-error'
import { QueueFileWriter } from '@posthorn/queue/queue-file-writer'
import { RECORD } from '@posthorn/queue/record'
import type { Client } from '@posthorn/daemon/service'
import type { FlowControl } from '@posthorn/daemon/flow-control'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import {
  announceCleanup,
  CLEANUP_FLAGS,
  CleanupOpening,
  SubmissionReply,
} from '@posthorn/wire/cleanup-protocol'
import { Channel } from '@posthorn/wire/channel'
import { AttrError } from '@posthorn/wire/wire-error'
import type { CleanupContext } from './cleanup-context.ts'
import { commitMessage } from './commit-message.ts'
import { firstStage } from './first-stage.ts'
import { Message } from './message.ts'
import { RecordInput } from './record-input.ts'
import { removeStaleLogs } from './stale-logs.ts'
import type { Stage } from './stage.ts'

export async function serveCleanup(
  stream: ByteStream,
  client: Pick<Client, 'stay'>,
  context: CleanupContext,
  flow: FlowControl,
): Promise<void> {
  const { inFlowDelaySeconds } = context.settings
  if (inFlowDelaySeconds > 0 && !flow.take()) await sleep(inFlowDelaySeconds * 1000)
  const writer = QueueFileWriter.create(context.layout, 'incoming', { supply: context.supply })
  let isSettled = false
  try {
    removeStaleLogs(context.layout, writer.id)
    const channel = new Channel(stream)
    announceCleanup(channel, writer.id)
    const flags = await readFlags(channel)
    const message = new Message(writer, flags ?? 0, context.settings)
    if (flags === undefined) message.fail('bad')
    if (!(await readMessage(stream, message, context))) return
    isSettled = true
    const result = await commitMessage(message, context, flow)
    const stays = ((flags ?? 0) & CLEANUP_FLAGS.stay) !== 0 && !message.isBroken && client.stay()
    channel.send(SubmissionReply.encode({ ...result, stays }))
  } finally {
    if (!isSettled) writer.remove()
  }
}

/** undefined: the client sent something else. */
async function readFlags(channel: Channel): Promise<number | undefined> {
  try {
    const attrs = await channel.receive()
    return attrs === undefined ? undefined : CleanupOpening.parse(attrs).flags
  } catch (error) {
    if (!(error instanceof AttrError)) throw error
    log.warning(`cannot read flags: ${error.message}`)
    return undefined
  }
}

/** @returns false when the client left */
async function readMessage(
  stream: ByteStream,
  message: Message,
  context: CleanupContext,
): Promise<boolean> {
  const input = new RecordInput(stream)
  const { messageSizeLimit } = context.settings
  let stage: Stage = firstStage(message, context)
  for (;;) {
    if (message.isBroken) return skipToEnd(input, message)
    let result
    try {
      result = stage.step(input)
      if (result instanceof Promise) result = await result
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      log.warning(`${message.id}: ${error.message}`)
      message.fail('bad')
      return true // where the next record begins cannot be known
    }
    if (messageSizeLimit > 0 && message.writer.position > messageSizeLimit) {
      log.warning(`${message.id}: queue file size limit exceeded`)
      message.fail('size')
    } else if (result === 'end') return true
    else if (result === 'more') {
      await drain(message)
      if (!(await input.more())) return false
    } else if (result !== 'again') stage = result
  }
}

/** Lets a large message go to the disk, which may be full. */
async function drain(message: Message): Promise<void> {
  try {
    await message.writer.drain()
  } catch (error) {
    log.warning(`${message.id}: write queue file: ${errorReason(error)}`)
    message.fail('write')
  }
}

async function skipToEnd(input: RecordInput, message: Message): Promise<boolean> {
  try {
    if (input.type === RECORD.end) return true
    for (;;) {
      while (input.next()) if (input.type === RECORD.end) return true
      if (!(await input.more())) return false
    }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
    message.fail('bad')
    return true
  }
}
