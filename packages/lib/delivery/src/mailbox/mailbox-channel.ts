/**
 * mailbox-channel - the conversation with a helper process: one job at a time on each channel
 *
 *     parent  job, then the text in frames `LENGTH LF octets`; `0 LF` ends it, `-1 LF` says that it cannot be had
 *     helper  result
 *
 * Both ends are our own program, started together; still each side checks what it reads.
 */
import type { Channel } from '@posthorn/wire/channel'
import { AttrError } from '@posthorn/wire/wire-error'
import {
  MailboxJobList,
  MailboxResultList,
  type MailboxJob,
  type MailboxResult,
} from './mailbox-job.ts'

const lengthOctets = 16
/** Octets that the stream may hold for a helper that is slow. */
const unsentLimit = 64 * 1024
const frameLimit = 16 * 1024 * 1024

/** The parent cannot give the whole text: nothing must be delivered. */
export class MessageCancelledError extends Error {
  readonly code = 'POSTHORN_MAILBOX_CANCELLED'
}

/** Sends a job and its text. @throws {SystemError | EndOfStreamError} the helper is gone; errors of `content` as they are */
export async function sendJob(
  channel: Channel,
  job: MailboxJob,
  content: AsyncIterable<string>,
): Promise<void> {
  const { stream } = channel
  channel.send(MailboxJobList.encode(job))
  let unsentOctets = 0
  try {
    for await (const octets of content) {
      if (octets === '') continue
      stream.write(`${octets.length}\n${octets}`)
      unsentOctets += octets.length
      // What is small goes out with the end of the text, in one system call.
      if (unsentOctets < unsentLimit) continue
      await stream.flush()
      unsentOctets = 0
    }
  } catch (error) {
    stream.write('-1\n')
    throw error
  }
  stream.write('0\n')
}

export async function receiveResult(channel: Channel): Promise<MailboxResult> {
  const { dsn, reason, warnings } = MailboxResultList.parse(await channel.receiveReply())
  const lines = warnings === '' ? [] : warnings.split('\n')
  if (dsn === '') return { kind: 'delivered', warnings: lines }
  return { kind: 'failed', dsn, reason, warnings: lines }
}

/** The next job of the parent; undefined when it has gone. The text must be read or drained before the result is sent. */
export async function receiveJob(
  channel: Channel,
): Promise<{ job: MailboxJob; content: AsyncGenerator<string, void, undefined> } | undefined> {
  const attrs = await channel.receive()
  if (attrs === undefined) return undefined
  return { job: MailboxJobList.parse(attrs), content: receiveContent(channel) }
}

export function sendResult(channel: Channel, result: MailboxResult): void {
  const { dsn, reason } = result.kind === 'delivered' ? { dsn: '', reason: '' } : result
  channel.send(MailboxResultList.encode({ dsn, reason, warnings: result.warnings.join('\n') }))
}

async function* receiveContent(channel: Channel): AsyncGenerator<string, void, undefined> {
  const { stream } = channel
  for (;;) {
    const length = Number(await stream.readUntil('\n', lengthOctets))
    if (length === 0) return
    if (length === -1) throw new MessageCancelledError('The message cannot be read')
    if (!(Number.isInteger(length) && length > 0 && length <= frameLimit)) {
      throw new AttrError('Cannot read a frame of the message: bad length')
    }
    yield await stream.readExactly(length)
  }
}
