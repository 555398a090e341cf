/**
 * server-sessions - sessions that clients remember by an id: where there are no tickets, or the client takes none
 *
 *     HEX-ID&s=smtpd&l=OPENSSL        as Postfix has it; sessions of another version of OpenSSL are not ours
 *
 * A session is stored when it is known what to think of the client. node:tls asks by the field of the ClientHello that TLS 1.2 has for it. With TLS 1.3 the id is an identity of the
 * extension pre_shared_key, and that field is filled with anything.
 * Trusts the store as much as tlsmgr(8) is trusted: who can read there can read sessions.
 * Source: RFC 5246 7.4.1.2; Postfix 3.7 smtpd(8), tlsmgr(8), as they log.
 */
import { log } from '@posthorn/log/log'
import type { IdSessions } from './server-handshake.ts'
import type { SessionStore } from './session-store.ts'

export interface ServerSessionsOptions {
  readonly store: SessionStore
  readonly serverId: string
  readonly peer: string
  /** smtpd */
  readonly cacheType: string
  readonly isLogged: boolean
  /** Of TLS 1.3, octets; undefined: it is another version. */
  readonly identity: string | undefined
  /** What the client remembers is a ticket, and its own affair. */
  readonly hasTickets: boolean
}

/** Of an id. */
const MAX_ID_OCTETS = 32

/** Of one connection. */
export class ServerSessions implements IdSessions {
  readonly #options: ServerSessionsOptions
  #state: 'unjudged' | 'kept' | 'dropped' = 'unjudged'
  #held: (readonly [cacheId: string, session: Buffer])[] = []

  constructor(options: ServerSessionsOptions) {
    this.#options = options
  }

  readonly find = async (sessionId: Buffer): Promise<Buffer | undefined> => {
    const { store, cacheType, identity } = this.#options
    const id = identity === undefined ? sessionId : Buffer.from(identity, 'latin1')
    if (id.length === 0 || id.length > MAX_ID_OCTETS) return undefined
    const cacheId = this.#cacheId(id)
    this.#tell(`looking up session ${cacheId} in ${cacheType} cache`)
    const session = await store.lookup(cacheId)
    if (session === undefined) return undefined
    this.#tell(`reloaded session ${cacheId} from ${cacheType} cache`)
    return Buffer.from(session, 'latin1')
  }

  readonly store = (id: Buffer, session: Buffer): void => {
    if (this.#options.hasTickets || id.length === 0 || this.#state === 'dropped') return
    this.#held.push([this.#cacheId(id), session])
    if (this.#state === 'kept') this.#save()
  }

  /** Those that came, and those that will: with TLS 1.3 they come after the handshake. */
  judge(verdict: 'kept' | 'dropped'): void {
    this.#state = verdict
    if (verdict === 'kept') this.#save()
    this.#held = []
  }

  #save(): void {
    const { store, cacheType } = this.#options
    for (const [cacheId, session] of this.#held.splice(0)) {
      this.#tell(`save session ${cacheId} to ${cacheType} cache`)
      // nobody waits for it, and without it the next handshake is a full one
      store.update(cacheId, session.toString('latin1')).catch(() => undefined)
    }
  }

  #cacheId(id: Buffer): string {
    const { serverId } = this.#options
    return `${id.toString('hex').toUpperCase()}&s=${serverId}&l=${opensslNumber(process.versions.openssl)}`
  }

  #tell(text: string): void {
    if (this.#options.isLogged) log.info(`${this.#options.peer}: ${text}`)
  }
}

/** `3.5.8` as OPENSSL_VERSION_NUMBER(3) has it. */
export function opensslNumber(version = ''): number {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => parseInt(part, 10))
  return major * 2 ** 28 + minor * 2 ** 20 + patch * 2 ** 4
}
