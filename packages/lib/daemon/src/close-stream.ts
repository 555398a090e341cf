/**
 * close-stream - the end of a conversation
 */
import { EndOfStreamError, StreamTimeoutError, type ByteStream } from '@posthorn/stream/byte-stream'

/** After success: everything written reaches the kernel first, unless the peer has left before. */
export async function endStream(stream: ByteStream): Promise<void> {
  if (!stream.isOpen) return
  try {
    await stream.end()
  } catch (error) {
    if (!(error instanceof EndOfStreamError || error instanceof StreamTimeoutError)) throw error
  }
}

/** After a failure: last words go out as far as the kernel takes them now; nobody waits for this peer. */
export function dropStream(stream: ByteStream): void {
  if (!stream.isOpen) return
  stream.flush().catch(() => undefined)
  stream.close()
}
