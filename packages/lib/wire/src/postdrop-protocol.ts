/**
 * postdrop-protocol - handing a message to postdrop(1) over a socket pair on its standard input and output
 *
 *     postdrop  { protocol, queue_id }
 *     client    records, in the subset for maildrop files, up to the END record
 *     postdrop  { status, reason }, and exits with that status
 *
 * End of file before the END record cancels: no reply, exit status 0.
 * Source: Postfix 3.7 postdrop(1), sendmail(1).
 */
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from './channel.ts'
import { SubmissionSession } from './submission-session.ts'

export { CLEANUP_STATUS, SubmissionReply, type SubmissionResult } from './submission-session.ts'

export const postdropProtocol = 'postdrop_protocol'

/**
 * Waits for postdrop's announcement on our end of the socket pair; the session then owns the stream.
 *
 * @throws {EndOfStreamError} postdrop has ended
 * @throws {AttrError} something else speaks there
 */
export async function openPostdrop(stream: ByteStream): Promise<SubmissionSession> {
  const channel = new Channel(stream)
  try {
    await channel.expectAnnouncement(postdropProtocol)
    return new SubmissionSession(channel)
  } catch (error) {
    channel.close()
    throw error
  }
}

/** postdrop's own announcement. */
export function announcePostdrop(channel: Channel, queueId: string): void {
  channel.announce(postdropProtocol, [['queue_id', queueId]])
}
