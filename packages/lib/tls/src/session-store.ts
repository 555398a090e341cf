/**
 * session-store - where TLS sessions are kept for other processes and later connections
 *
 * tlsmgr(8) is one. Ids and sessions are opaque to it. Whoever cannot be reached has nothing: no method rejects, and a
 * session that cannot be found costs a full handshake.
 */

export interface SessionPolicy {
  /** There is a cache to ask. */
  readonly isCachable: boolean
  /** Seconds that a session lives; 0: no sessions, and no tickets either. */
  readonly timeoutSeconds: number
}

export interface SessionStore {
  /** Asked once, when the engine opens; undefined: cannot be told, so nothing is cached. */
  readonly policy: () => Promise<SessionPolicy | undefined>
  /** Octets, as a latin1 string. */
  readonly lookup: (cacheId: string) => Promise<string | undefined>
  readonly update: (cacheId: string, session: string) => Promise<void>
  readonly delete: (cacheId: string) => Promise<void>
}
