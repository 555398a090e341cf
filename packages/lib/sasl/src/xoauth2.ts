/**
 * xoauth2 - XOAUTH2, Google's and Microsoft's: the password is an OAuth 2.0 access token
 *
 *     C: user=USER ^A auth=Bearer TOKEN ^A ^A
 *     S: {"status":"401", ...}         only when it refuses; the real reply comes after an empty response
 *     C:
 */
import { requireUser, type Credentials, type Mechanism } from './mechanism.ts'

export class XOAuth2 implements Mechanism {
  readonly name = 'XOAUTH2'
  readonly isComplete = true
  readonly #credentials: Credentials

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  initial(): string {
    requireUser(this.#credentials)
    const { user, password } = this.#credentials
    return `user=${user}\x01auth=Bearer ${password}\x01\x01`
  }

  respond(): string {
    return ''
  }
}
