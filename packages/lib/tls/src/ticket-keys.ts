/**
 * ticket-keys - the keys of session tickets, which all processes of the system share by way of tlsmgr(8)
 *
 *     now          the current key makes tickets, until its time is over; then tlsmgr(8) has another
 *     afterwards   for as long again the key opens the tickets that it made
 *
 * A ticket begins with the name of its key, so the key is found that fits. A process that asked for a key an hour ago and one
 * that starts now give and take each other's tickets. Postfix's and ours do not: they have the same keys and names, but node:tls
 * makes of a key what it can (AES-128 and 16 octets for the HMAC, where Postfix has AES-256 and 32): a ticket of the others is one
 * that does not verify, and costs a full handshake.
 * Limits: two keys are current or of use; MAX_KEYS are kept.
 * Source: RFC 5077 4, 5.5; Postfix 3.7 tlsmgr(8), as it answers.
 */

const MAX_KEYS = 4
const NAME_OCTETS = 16
/** name, AES-256 key, HMAC key, time_t of the end */
const KEY_OCTETS = 16 + 32 + 32 + 8

/** tlsmgr(8) is one. No method rejects; who cannot be reached has no key. */
export interface TicketKeySource {
  /** As it travels, octets as a latin1 string: the current key for an empty name, else that with this name. */
  readonly ticketKey: (name: string) => Promise<string | undefined>
}

export interface TicketKey {
  /** 16 octets. */
  readonly name: string
  /** As node:tls wants it: name, HMAC key, AES key, 16 octets each. */
  readonly octets: Buffer
  /** No new tickets from then on; seconds since 1970. */
  readonly expiresAtSeconds: number
}

export class TicketKeys {
  readonly #source: TicketKeySource
  readonly #lifeSeconds: number
  #keys: readonly TicketKey[] = []
  #asking: Promise<TicketKey | undefined> | undefined

  /** `lifeSeconds`: of a session; a key makes tickets for half of it. */
  constructor(source: TicketKeySource, lifeSeconds: number) {
    this.#source = source
    this.#lifeSeconds = lifeSeconds
  }

  /** The key that `ticket` was made with, where it is still of use; else the current one. Undefined: there is none. */
  async find(ticket: string): Promise<TicketKey | undefined> {
    const nowSeconds = Date.now() / 1000
    const limitSeconds = nowSeconds - this.#lifeSeconds / 2
    this.#keys = this.#keys.filter((key) => key.expiresAtSeconds > limitSeconds)
    const current = this.#keys.find((key) => key.expiresAtSeconds > nowSeconds)
    const name = ticket.slice(0, NAME_OCTETS)
    if (name.length === NAME_OCTETS) {
      const known = this.#keys.find((key) => key.name === name) ?? (await this.#ask(name))
      if (known !== undefined) return known
    }
    return current ?? this.#current()
  }

  /** Asked once for all that wait for it. */
  async #current(): Promise<TicketKey | undefined> {
    this.#asking ??= this.#ask('').finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(name: string): Promise<TicketKey | undefined> {
    const octets = await this.#source.ticketKey(name)
    const key = octets === undefined ? undefined : parseTicketKey(octets)
    if (key === undefined || (name !== '' && key.name !== name)) return undefined
    this.#keys = [...this.#keys.filter((other) => other.name !== key.name), key].slice(-MAX_KEYS)
    return key
  }
}

/** @returns undefined: it is none, say one of another machine */
export function parseTicketKey(text: string): TicketKey | undefined {
  const octets = Buffer.from(text, 'latin1')
  if (octets.length !== KEY_OCTETS) return undefined
  const name = octets.subarray(0, NAME_OCTETS)
  const aesKey = octets.subarray(16, 32)
  const hmacKey = octets.subarray(48, 64)
  return {
    name: name.toString('latin1'),
    octets: Buffer.concat([name, hmacKey, aesKey]),
    expiresAtSeconds: Number(octets.readBigInt64LE(80)),
  }
}
