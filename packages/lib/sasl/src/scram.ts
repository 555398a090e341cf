/**
 * scram - SCRAM-SHA-1, SCRAM-SHA-256 and their kin (RFC 5802, RFC 7677), without channel binding
 *
 *     C: n,a=AUTHORIZATION,n=USER,r=NONCE
 *     S: r=NONCE+MORE,s=SALT,i=ITERATIONS
 *     C: c=biws,r=NONCE+MORE,p=PROOF
 *     S: v=SIGNATURE
 *     C:
 *
 * Both sides prove that they know the password. The work that the server asks of us is limited, and done beside the event
 * loop: 2 ms for the usual 4096 iterations, about 0.1 s for ITERATION_LIMIT.
 */
import { promisify } from 'node:util'
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { badProtocol, requireUser, SaslError, type Credentials } from './mechanism.ts'
import { MutualMechanism } from './mutual-mechanism.ts'
import { prepare, saslName } from './sasl-name.ts'

/** By the name of the mechanism. */
const HASHES = {
  'SCRAM-SHA-1': 'sha1',
  'SCRAM-SHA-224': 'sha224',
  'SCRAM-SHA-256': 'sha256',
  'SCRAM-SHA-384': 'sha384',
  'SCRAM-SHA-512': 'sha512',
} as const
export type ScramName = keyof typeof HASHES

const ITERATION_LIMIT = 200_000

const serverFirst = /^r=([!-+\--~]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\d{0,8})(?:,.*)?$/s

export class Scram extends MutualMechanism<Promise<string>> {
  readonly name: ScramName
  readonly #credentials: Credentials
  readonly #nonce: string
  readonly #gs2Header: string
  #serverSignature: Buffer = Buffer.alloc(0)

  /** `nonce` is for tests. */
  constructor(
    name: ScramName,
    credentials: Credentials,
    nonce = randomBytes(18).toString('base64'),
  ) {
    super()
    const { authorization } = credentials
    this.name = name
    this.#credentials = credentials
    this.#nonce = nonce
    this.#gs2Header = authorization === '' ? 'n,,' : `n,a=${saslName(prepare(authorization))},`
  }

  initial(): string {
    requireUser(this.#credentials)
    return this.#gs2Header + this.#clientFirst
  }

  get #clientFirst(): string {
    return `n=${saslName(prepare(this.#credentials.user))},r=${this.#nonce}`
  }

  /** RFC 5802 3 */
  protected async prove(challenge: string): Promise<string> {
    const [, nonce = '', salt = '', iterations = ''] = serverFirst.exec(challenge) ?? []
    // RFC 5802 5.1: a nonce that is ours alone would let the server repeat an old exchange
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) {
      throw badProtocol(`${this.name}: not the first message of a server, or not for us`)
    }
    if (Number(iterations) > ITERATION_LIMIT) {
      throw badProtocol(`${this.name}: ${iterations} iterations, more than ${ITERATION_LIMIT}`)
    }
    const hash = HASHES[this.name]
    const hmac = (key: Buffer, text: string): Buffer =>
      createHmac(hash, key).update(text, 'latin1').digest()
    const salted = await this.#salted(Buffer.from(salt, 'base64'), Number(iterations))
    const clientKey = hmac(salted, 'Client Key')
    const storedKey = createHash(hash).update(clientKey).digest()
    const final = `c=${Buffer.from(this.#gs2Header, 'latin1').toString('base64')},r=${nonce}`
    const authMessage = `${this.#clientFirst},${challenge},${final}`
    const signature = hmac(storedKey, authMessage)
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), authMessage)
    const proof = clientKey.map((octet, at) => octet ^ (signature[at] ?? 0))
    return `${final},p=${Buffer.from(proof).toString('base64')}`
  }

  async #salted(salt: Buffer, iterations: number): Promise<Buffer> {
    const hash = HASHES[this.name]
    const password = Buffer.from(prepare(this.#credentials.password), 'latin1')
    const { length } = createHash(hash).digest()
    return promisify(pbkdf2)(password, salt, iterations, length, hash)
  }

  protected verify(challenge: string): void {
    const [, value] = /^v=([A-Za-z0-9+/]+={0,2})(?:,.*)?$/s.exec(challenge) ?? []
    if (value === undefined) throw badProtocol(`${this.name}: no signature of the server`)
    const signature = Buffer.from(value, 'base64')
    const expected = this.#serverSignature
    if (signature.length !== expected.length) {
      throw badProtocol(`${this.name}: a signature of ${signature.length} octets`)
    }
    if (!timingSafeEqual(signature, expected)) {
      throw new SaslError(
        'authentication failure',
        `${this.name}: the server does not know the password`,
      )
    }
  }
}
