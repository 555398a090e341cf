/**
 * orderly-close - the end of a TLS connection whose peer may be slow to take the last words
 *
 * What was written, and close_notify after it, are sent as the peer takes them; then the socket is destroyed. A peer that
 * reads nothing costs its octets, at most about 128 KB, and MAX_LINGER_MS. With tls_fast_shutdown_enable = no the peer's own
 * close_notify is waited for as well, within the same time; what it says before is not read by anybody.
 * The timer does not keep the process alive.
 * Source: RFC 8446 6.1; Postfix 3.7 postconf(5) tls_fast_shutdown_enable.
 */
import type { Duplex } from 'node:stream'
import { scheduleDeadline } from '@posthorn/stream/deadline-timer'

const MAX_LINGER_MS = 5_000

/** Takes ownership. The socket has an error listener already, and is read on 'readable'. */
export function closeOrderly(socket: Duplex, awaitsPeer: boolean, lingerMs = MAX_LINGER_MS): void {
  if (socket.destroyed) return
  const deadline = scheduleDeadline(Date.now() + lingerMs, () => {
    socket.destroy()
  })
  const destroyIfDone = (): void => {
    if (socket.writableFinished && (!awaitsPeer || socket.readableEnded)) socket.destroy()
  }
  const discard = (): void => {
    while (socket.read() !== null);
  }
  socket.once('close', () => {
    deadline.cancel()
  })
  socket.once('finish', destroyIfDone)
  socket.once('end', destroyIfDone)
  if (awaitsPeer) {
    socket.on('readable', discard)
    discard()
  }
  socket.end()
}
