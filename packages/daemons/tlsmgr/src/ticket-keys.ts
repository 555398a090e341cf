/**
 * ticket-keys - the keys under which SMTP servers encrypt session tickets, so that each can read the others'
 *
 * A key encrypts for half of the session life, and then only decrypts for the other half: a ticket issued at the last
 * moment is good for as long as its session would have been.
 *
 *     octets   0 name 16    16 cipher key 32    48 HMAC key 32    80 end of encryption, seconds, 8 (little-endian)
 *
 * Keys are made on demand and live in memory only: whoever has one can read sessions recorded under it (RFC 5077 5.5).
 * Source: Postfix 3.7 tlsmgr(8), smtpd_tls_session_cache_timeout; RFC 5077 4.
 */
import { randomBytes } from 'node:crypto'

const NAME_OCTETS = 16
const KEY_OCTETS = 64

interface TicketKey {
  readonly name: string
  readonly octets: string
  readonly endOfEncryptionSeconds: number
}

export class TicketKeys {
  readonly #halfLifeSeconds: number
  readonly #now: () => number
  #current: TicketKey | undefined
  #previous: TicketKey | undefined

  /** `now`: the wall clock in ms. */
  constructor(lifeSeconds: number, now: () => number = Date.now) {
    this.#halfLifeSeconds = Math.floor(lifeSeconds / 2)
    this.#now = now
  }

  /** The key to encrypt with. */
  current(): string {
    const now = this.#seconds()
    if (this.#current === undefined || this.#current.endOfEncryptionSeconds < now) {
      this.#previous = this.#current
      this.#current = makeKey(now + this.#halfLifeSeconds)
    }
    return this.#current.octets
  }

  /** A key that still decrypts. */
  find(name: string): string | undefined {
    const key = [this.#current, this.#previous].find((key) => key?.name === name)
    if (key === undefined) return undefined
    const isSpent = key.endOfEncryptionSeconds + this.#halfLifeSeconds < this.#seconds()
    return isSpent ? undefined : key.octets
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000)
  }
}

function makeKey(endOfEncryptionSeconds: number): TicketKey {
  const secret = randomBytes(NAME_OCTETS + KEY_OCTETS)
  const end = Buffer.alloc(8)
  end.writeBigInt64LE(BigInt(endOfEncryptionSeconds))
  const octets = Buffer.concat([secret, end]).toString('latin1')
  return { name: octets.slice(0, NAME_OCTETS), octets, endOfEncryptionSeconds }
}
