/**
 * mtasts-error - why a policy cannot be had, or a client not be served
 */

/** As TLSRPT reports call it (RFC 8460 4.3.2.2). */
export type PolicyFailure = 'sts-policy-fetch-error' | 'sts-policy-invalid' | 'sts-webpki-invalid'

/** The record is there, and no policy that could be used. The message is for the log; nothing of the server's words is in it. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  readonly code = 'POSTHORN_STS_POLICY'
  readonly failure: PolicyFailure

  constructor(failure: PolicyFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.failure = failure
  }
}

/** More policies are being fetched, or wait for it, than we are willing to. */
export class FetchesBusyError extends Error {
  override readonly name = 'FetchesBusyError'
  readonly code = 'POSTHORN_STS_BUSY'
}

/** What a client sends is no request of a socketmap. */
export class SocketmapError extends SyntaxError {
  override readonly name = 'SocketmapError'
  readonly code = 'POSTHORN_SOCKETMAP'
}
