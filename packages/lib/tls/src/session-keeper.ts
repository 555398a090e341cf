/**
 * session-keeper - the session of one connection, on its way between the store and node:tls
 *
 * With TLS 1.3 sessions come after the handshake, at any time: they are stored once it is known what to think of the server.
 */
import { log } from '@posthorn/log/log'
import {
  decodeSession,
  encodeSession,
  type CachedSession,
  type PeerFacts,
} from './session-cache.ts'
import type { SessionStore } from './session-store.ts'

export interface KeeperSettings {
  readonly store: SessionStore
  readonly id: string
  /** smtp or lmtp */
  readonly cacheType: string
  readonly isLogged: boolean
}

export class SessionKeeper {
  readonly #settings: KeeperSettings
  #facts: PeerFacts | undefined
  #isDropped = false
  #latest: Buffer | undefined
  #isScheduled = false

  constructor(settings: KeeperSettings) {
    this.#settings = settings
  }

  async lookup(): Promise<CachedSession | undefined> {
    const { store, id, cacheType } = this.#settings
    this.#tell(`looking for session ${id} in ${cacheType} cache`)
    const octets = await store.lookup(id)
    const found = octets === undefined ? undefined : decodeSession(octets)
    if (found !== undefined) this.#tell(`reloaded session ${id} from ${cacheType} cache`)
    return found
  }

  /** A server with TLS 1.3 gives two at once: one is enough. */
  readonly offer = (session: Buffer): void => {
    if (this.#isDropped) return
    this.#latest = session
    this.#schedule()
  }

  /** Now, and from now on. */
  keep(facts: PeerFacts): void {
    this.#facts = facts
    this.#schedule()
  }

  drop(): void {
    this.#isDropped = true
    this.#latest = undefined
  }

  /** After a handshake that failed with it: the next one is to be a full one. */
  forget(): void {
    this.drop()
    const { store, id } = this.#settings
    store.delete(id).catch(() => undefined)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#latest === undefined || this.#facts === undefined) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#save()
    })
  }

  #save(): void {
    const session = this.#latest
    if (session === undefined || this.#facts === undefined) return
    this.#latest = undefined
    const { store, id, cacheType } = this.#settings
    this.#tell(`save session ${id} to ${cacheType} cache`)
    // nobody waits for it, and without it the next handshake is a full one
    store.update(id, encodeSession({ facts: this.#facts, session })).catch(() => undefined)
  }

  #tell(text: string): void {
    if (this.#settings.isLogged) log.info(text)
  }
}
