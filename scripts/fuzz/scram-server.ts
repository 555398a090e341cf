/**
 * scram-server - the server's half of SCRAM-SHA-1 (RFC 5802), for one user
 *
 * With so few iterations that a million dialogues do not take a day.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

const SALT = Buffer.from('fuzz salt')
const ITERATIONS = 4

/** By password: the work is done once. */
const serverKeys = new Map<string, Buffer>()

function serverKeyOf(password: string): Buffer {
  const { length } = createHash('sha1').digest()
  const salted = pbkdf2Sync(password, SALT, ITERATIONS, length, 'sha1')
  return createHmac('sha1', salted).update('Server Key').digest()
}

export class ScramServer {
  readonly #serverKey: Buffer
  #first = ''

  constructor(password: string) {
    this.#serverKey = serverKeys.get(password) ?? serverKeyOf(password)
    serverKeys.set(password, this.#serverKey)
  }

  /** The challenge to what the client says first: `n,,n=user,r=nonce`. */
  challenge(clientFirst: string): string {
    const bare = clientFirst.replace(/^[^,]*,[^,]*,/, '')
    const nonce = /r=([^,]*)/.exec(bare)?.[1] ?? ''
    const reply = `r=${nonce}peer,s=${SALT.toString('base64')},i=${ITERATIONS}`
    this.#first = `${bare},${reply}`
    return reply
  }

  /** The proof that the server knows the user. */
  signature(clientFinal: string): string {
    const message = `${this.#first},${clientFinal.replace(/,p=[^,]*$/, '')}`
    const signature = createHmac('sha1', this.#serverKey).update(message, 'latin1').digest('base64')
    return `v=${signature}`
  }
}
