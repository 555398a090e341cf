/**
 * mailbox-helper - the process that writes to mailboxes as somebody else
 *
 * A delivery agent with many clients cannot change its identity for one of them. So for each identity there is a
 * process, the same program started with `mailboxHelperMode` as its first argument. It is started as root, becomes the
 * user for good before it reads a word, and ends when its parent does. It knows nothing of the queue: jobs and texts
 * come over the descriptors from 3 on, one job at a time on each.
 *
 * Trusts: its parent. Holds: nothing between jobs.
 */
import { compileSooner } from '@posthorn/native/compiler'
import { becomeUser } from '@posthorn/native/user'
import { Descriptor } from '@posthorn/native/descriptor'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { deliverToMailbox } from './deliver-to-mailbox.ts'
import { MessageCancelledError, receiveJob, sendResult } from './mailbox-channel.ts'

export const mailboxHelperMode = 'deliver-to-mailboxes'
export const firstChannel = 3

/** Whom a mailbox helper is to be. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  /** For supplementary groups; empty when the user has no name. */
  readonly name: string
}

export function helperArguments(identity: Identity, channelCount: number): string[] {
  const { uid, gid, name } = identity
  return [mailboxHelperMode, String(uid), String(gid), name, String(channelCount)]
}

export function isMailboxHelper(args: readonly string[]): boolean {
  return args[0] === mailboxHelperMode
}

/** Serves until the parent hangs up. @param args of the process, the mode first */
export function runMailboxHelper(args: readonly string[]): void {
  const [, uid, gid, name = '', channelCount] = args
  const identity = { uid: Number(uid), gid: Number(gid), name }
  compileSooner()
  process.chdir('/')
  process.umask(0o077)
  if (process.getuid?.() !== identity.uid) becomeUser(identity)
  for (let index = 0; index < Number(channelCount); index += 1) {
    const stream = new ByteStream(Descriptor.adopt(firstChannel + index))
    serve(new Channel(stream)).then(
      () => {
        stream.close()
      },
      () => {
        stream.close()
      },
    )
  }
}

async function serve(channel: Channel): Promise<void> {
  for (;;) {
    const received = await receiveJob(channel)
    if (received === undefined) return
    const { job, content } = received
    try {
      // A reader that gives up early must not end the conversation: the rest of the text is still to come.
      const result = await deliverToMailbox(job, keepOpen(content))
      for (let rest = await content.next(); rest.done !== true; rest = await content.next());
      sendResult(channel, result)
    } catch (error) {
      if (!(error instanceof MessageCancelledError)) throw error
    }
  }
}

async function* keepOpen(
  content: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string, void, undefined> {
  for (let next = await content.next(); next.done !== true; next = await content.next()) {
    yield next.value
  }
}
