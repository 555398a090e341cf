/**
 * wire-error - the ways in which talking to another daemon fails
 *
 * An AttrError is the peer's fault (or our bug): the conversation is out of step and must be closed.
 * A ServiceError says that a service could not be asked at all; the mail in hand is deferred.
 */

/** An attribute list is malformed, out of order, incomplete or beyond a limit. */
export class AttrError extends SyntaxError {
  readonly code = 'POSTHORN_ATTR'
  override name = 'AttrError'
}

/** A service did not answer within the tries and the time that its client allows; see `cause`. */
export class ServiceError extends Error {
  readonly code = 'POSTHORN_SERVICE'
  override name = 'ServiceError'
}

/** tlsproxy(8) had the connection, and there was no handshake on it: in all likelihood the peer's doing. */
export class ProxiedHandshakeError extends ServiceError {
  override name = 'ProxiedHandshakeError'
}

/** What claims to be the result of a TLS session is none. */
export class TlsrptError extends SyntaxError {
  readonly code = 'POSTHORN_TLSRPT'
  override name = 'TlsrptError'
}
