/**
 * queue-mode - what the permission bits of a queue file say
 *
 * Owner bits 0700 make a message complete; group bits carry two requests of the administrator.
 */

/** Being written: everybody but its writer leaves it alone. */
export const MODE_INCOMPLETE = 0o600
/** Complete message in any queue but maildrop. */
export const MODE_READY = 0o700
/** Complete submission: pickup(8) of another user may read it. */
export const MODE_READY_MAILDROP = 0o744
/** Flushed by queue id: the queue manager ignores what it knows of dead destinations, once. */
export const MODE_UNTHROTTLE = 0o040
/** Returned to the sender as if it were too old. */
export const MODE_EXPIRE = 0o010

/** `mode` as in Stats. */
export function isReady(mode: number): boolean {
  return (mode & 0o700) === MODE_READY
}

export function isForceExpired(mode: number): boolean {
  return (mode & MODE_EXPIRE) !== 0
}
