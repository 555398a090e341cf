/**
 * oauthbearer - OAUTHBEARER (RFC 7628): the password is an OAuth 2.0 access token
 *
 *     C: n,a=USER, ^A host=HOST ^A port=PORT ^A auth=Bearer TOKEN ^A ^A
 *     S: {"status":"invalid_token", ...}   only when it refuses
 *     C: ^A                                3.2.3: so that the refusal is complete
 */
import { requireUser, type Credentials, type Mechanism } from './mechanism.ts'
import { saslName } from './sasl-name.ts'

export class OAuthBearer implements Mechanism {
  readonly name = 'OAUTHBEARER'
  readonly isComplete = true
  readonly #credentials: Credentials

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  initial(): string {
    requireUser(this.#credentials)
    const { user, password, host, port } = this.#credentials
    // a UNIX socket has no port
    const portField = port === 0 ? '' : `port=${port}\x01`
    return `n,a=${saslName(user)},\x01host=${host}\x01${portField}auth=Bearer ${password}\x01\x01`
  }

  respond(): string {
    return '\x01'
  }
}
