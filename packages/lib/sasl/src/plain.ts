/**
 * plain - PLAIN (RFC 4616): everything in one message, readable by whoever sees it
 *
 *     C: authorization NUL user NUL password
 */
import { afterTheEnd, requireUser, type Credentials, type Mechanism } from './mechanism.ts'

export class Plain implements Mechanism {
  readonly name = 'PLAIN'
  readonly isComplete = true
  readonly #credentials: Credentials

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  initial(): string {
    requireUser(this.#credentials)
    const { authorization, user, password } = this.#credentials
    return `${authorization}\0${user}\0${password}`
  }

  respond(): string {
    throw afterTheEnd()
  }
}
