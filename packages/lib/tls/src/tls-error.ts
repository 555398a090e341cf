/**
 * tls-error - what can go wrong with TLS
 */

/** There is no TLS on this connection, which is closed. What happened has been logged. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError'
  readonly code = 'POSTHORN_TLS_HANDSHAKE'
  /** The peer did not answer in time. */
  readonly isTimeout: boolean
  /** It is our settings that are of no use: the peer was not spoken to. */
  readonly isLocal: boolean

  constructor(
    message: string,
    options: ErrorOptions & { isTimeout?: boolean; isLocal?: boolean } = {},
  ) {
    super(message, options)
    this.isTimeout = options.isTimeout ?? false
    this.isLocal = options.isLocal ?? false
  }
}
