/**
 * cram-md5 - CRAM-MD5 (RFC 2195): the password proves itself without being sent
 *
 *     S: <1896.697170952@postoffice.example.net>
 *     C: user SP hex(HMAC-MD5(password, challenge))
 *
 * Whoever listens can guess at the password at leisure, and the server proves nothing.
 */
import { createHmac } from 'node:crypto'
import { afterTheEnd, requireUser, type Credentials, type Mechanism } from './mechanism.ts'

export class CramMd5 implements Mechanism {
  readonly name = 'CRAM-MD5'
  readonly isComplete = true
  readonly #credentials: Credentials
  #hasResponded = false

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  initial(): string | undefined {
    return undefined
  }

  respond(challenge: string): string {
    if (this.#hasResponded) throw afterTheEnd()
    this.#hasResponded = true
    requireUser(this.#credentials)
    const { user, password } = this.#credentials
    const key = Buffer.from(password, 'latin1')
    const digest = createHmac('md5', key).update(challenge, 'latin1').digest('hex')
    return `${user} ${digest}`
  }
}
