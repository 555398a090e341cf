/**
 * close-stream - the end of a conversation
 */
import type { ByteStream } from '@posthorn/stream/byte-stream'

/** After success: everything written reaches the kernel first. @throws as ByteStream.end() */
export async function endStream(stream: ByteStream): Promise<void> {
  if (stream.isOpen) await stream.end()
}

/** After a failure: last words go out as far as the kernel takes them now; nobody waits for this peer. */
export function dropStream(stream: ByteStream): void {
  if (!stream.isOpen) return
  stream.flush().catch(() => undefined)
  stream.close()
}
