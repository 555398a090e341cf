/**
 * write-message - a message into an open file, and onto the disk
 *
 * A small message is one job in a thread: write and fsync. A large one goes out in parts, so that memory holds one
 * part of it, whatever its size.
 */
import { storeFile } from '@posthorn/native/store'
import { MailboxFault, MailboxFullError } from './mailbox-fault.ts'

const partOctets = 256 * 1024

/**
 * @param position where the message begins in the file
 * @param limitBytes of the whole file; 0 = none
 * @throws {MailboxFault} the file could not be written; what it now contains is undefined. Errors of `content` as they are
 */
export async function writeMessage(
  fd: number,
  position: number,
  limitBytes: number,
  content: AsyncIterable<string>,
): Promise<void> {
  let at = position
  let part = ''
  const store = async (fsync: boolean): Promise<void> => {
    try {
      await storeFile({ fd, parts: [{ position: at, octets: part }], fsync, close: false })
    } catch (error) {
      throw new MailboxFault('error writing message', { cause: error })
    }
    at += part.length
    part = ''
  }
  for await (const octets of content) {
    part += octets
    if (limitBytes > 0 && at + part.length > limitBytes) {
      throw new MailboxFault('error writing message', { cause: new MailboxFullError() })
    }
    if (part.length >= partOctets) await store(false)
  }
  await store(true)
}

/** One chunk before, one after. */
export async function* surround(
  before: string,
  content: AsyncIterable<string>,
  after: string,
): AsyncGenerator<string, void, undefined> {
  yield before
  yield* content
  if (after !== '') yield after
}
