/**
 * login - LOGIN: user name and password, each when the server asks
 *
 *     S: Username:
 *     C: user
 *     S: Password:
 *     C: password
 *
 * Never became a standard (draft-murchison-sasl-login). What the server asks in is not looked at: servers have many words
 * for it, and some none.
 */
import { afterTheEnd, requireUser, type Credentials, type Mechanism } from './mechanism.ts'

export class Login implements Mechanism {
  readonly name = 'LOGIN'
  /** The server proves nothing, and may be content early. */
  readonly isComplete = true
  readonly #credentials: Credentials
  readonly #answers: string[]

  constructor(credentials: Credentials) {
    this.#credentials = credentials
    this.#answers = [credentials.user, credentials.password]
  }

  initial(): string | undefined {
    return undefined
  }

  respond(): string {
    requireUser(this.#credentials)
    const answer = this.#answers.shift()
    if (answer === undefined) throw afterTheEnd()
    return answer
  }
}
