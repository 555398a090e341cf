/**
 * relay - carries a conversation between two streams, until one of them ends
 *
 * Nothing is read from one side that the other has not taken: who reads slowly slows its peer down. What one side said
 * before it ended still reaches the other.
 *
 *     the plaintext side ended      TLS is closed once it has taken all that was said
 *     the TLS side ended            the same, the other way round
 *     one side has gone             what it said before is carried on, and then that is the end
 *     one side takes nothing        for `patienceMs`: both are closed
 */
import { EndOfStreamError, type ByteStream } from '@posthorn/stream/byte-stream'
import { scheduleDeadline } from '@posthorn/stream/deadline-timer'

const CHUNK_OCTETS = 65_536

/** Ends with both streams closed. @returns 'stuck' when one side took nothing. */
export async function relay(
  plain: ByteStream,
  secured: ByteStream,
  patienceMs: number,
): Promise<'ended' | 'stuck'> {
  const stuck = new AbortController()
  const close = (): void => {
    plain.close()
    secured.close()
  }
  const giveUp = (): void => {
    stuck.abort()
    close()
  }
  plain.timeoutMs = secured.timeoutMs = 0
  try {
    const directions = [
      carry(plain, secured, patienceMs, giveUp),
      carry(secured, plain, patienceMs, giveUp),
    ]
    if ((await Promise.race(directions)) === 'refused') await Promise.all(directions)
  } finally {
    close()
  }
  return stuck.signal.aborted ? 'stuck' : 'ended'
}

/** One direction. 'ended': all that was said has been taken; 'refused': the other side has gone. */
async function carry(
  from: ByteStream,
  to: ByteStream,
  patienceMs: number,
  giveUp: () => void,
): Promise<'ended' | 'refused'> {
  while (await goesOn(from)) {
    to.write(from.take(CHUNK_OCTETS))
    if (!(await isTaken(to, patienceMs, giveUp))) return 'refused'
  }
  return 'ended'
}

/** A connection that is lost has ended, too. */
async function goesOn(from: ByteStream): Promise<boolean> {
  if (from.buffered.length > 0) return true
  try {
    return await from.fill()
  } catch (error) {
    if (error instanceof EndOfStreamError) return false
    throw error
  }
}

/** False: nobody is there any more. */
async function isTaken(to: ByteStream, patienceMs: number, giveUp: () => void): Promise<boolean> {
  const flushed = to.flush()
  const isWaiting = to.unwritten > 0 && patienceMs > 0
  const deadline = isWaiting ? scheduleDeadline(Date.now() + patienceMs, giveUp) : undefined
  try {
    await flushed
    return true
  } catch (error) {
    if (error instanceof EndOfStreamError) return false
    throw error
  } finally {
    deadline?.cancel()
  }
}
