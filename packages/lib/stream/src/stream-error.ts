/**
 * stream-error - how a conversation with a peer can fail
 *
 * Whoever waits for the peer gets one of these; anything else that a stream throws is our own fault or the system's.
 */

/** The peer ended or broke the connection, or we closed it during a wait. `cause` is the SystemError, if there was one. */
export class EndOfStreamError extends Error {
  override readonly name = 'EndOfStreamError'
  readonly code = 'POSTHORN_STREAM_END'
}

/** The peer was silent, or did not read, for too long. */
export class StreamTimeoutError extends Error {
  override readonly name = 'StreamTimeoutError'
  readonly code = 'POSTHORN_STREAM_TIMEOUT'
}

/** The peer sent more than we are willing to hold. Nothing was taken. */
export class StreamLimitError extends RangeError {
  override readonly name = 'StreamLimitError'
  readonly code = 'POSTHORN_STREAM_LIMIT'
}
