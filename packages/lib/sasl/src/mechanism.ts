/**
 * mechanism - the client's side of a SASL mechanism (RFC 4422)
 *
 *     const mechanism = chooseMechanism(offered, options)?.(credentials)
 *     AUTH NAME [mechanism.initial()]   ->  334 challenge  ->  mechanism.respond(challenge)  ->  ...  ->  235
 *
 * Challenges and responses are octets here; base64 is the dialogue's business. A mechanism holds the state of one exchange.
 */
export interface Credentials {
  /** Authentication identity. */
  readonly user: string
  readonly password: string
  /** Authorization identity; empty: the server derives it. */
  readonly authorization: string
  /** The server, as in its certificate: for DIGEST-MD5 and OAUTHBEARER. */
  readonly host: string
  readonly port: number
  /** smtp or lmtp */
  readonly service: string
}

export interface Mechanism {
  /** As in AUTH. */
  readonly name: string
  /** The initial response; undefined: the server speaks first. @throws {SaslError} there is nobody to be */
  initial: () => string | undefined
  /** The response to a challenge. @throws {SaslError} the server does not follow the mechanism, or is not who it should be */
  respond: (challenge: string) => string | Promise<string>
  /** Whether the exchange may end with success now: a server that has to prove itself has done so. */
  readonly isComplete: boolean
}

/** The message is for the sender: one of few texts, as SASL libraries have them. `detail` is for the log. */
export class SaslError extends Error {
  readonly code = 'POSTHORN_SASL'
  readonly detail: string | undefined

  constructor(message: string, detail?: string) {
    super(message)
    this.detail = detail
  }
}

/** The server says what the mechanism does not provide for. */
export function badProtocol(detail: string): SaslError {
  return new SaslError('bad protocol / cancel', detail)
}

/** The exchange is over, and the server goes on. */
export function afterTheEnd(): SaslError {
  return new SaslError('generic failure', 'another challenge after the last one')
}

/** @throws {SaslError} nobody */
export function requireUser({ user }: Credentials): void {
  if (user.trim() === '') throw new SaslError('generic failure', 'no user name')
}
