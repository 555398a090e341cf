/**
 * engine-cache - TLS client engines, one for each distinct set of settings
 *
 * An engine holds keys and certificates, which take milliseconds to load, and is good for any number of connections. The
 * first is opened with tlsproxy(8)'s own settings while it may still read what is readable for root only.
 *
 * Holds: at most `limit` engines; beyond that the one that was not used for longest goes. Sessions that it began go on.
 */
import type { ClientEngine } from '@posthorn/tls/client-engine'
import type { TlsClientInit, TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'

/** undefined: TLS is not available with these settings, and why has been logged. */
export type OpenEngine = (
  params: TlsClientParams,
  init: TlsClientInit,
) => Promise<ClientEngine | undefined>

const defaultLimit = 32

export class EngineCache {
  /** the most recently used last */
  readonly #engines = new Map<string, Promise<ClientEngine | undefined>>()
  readonly #open: OpenEngine
  readonly #limit: number

  constructor(open: OpenEngine, limit = defaultLimit) {
    this.#open = open
    this.#limit = limit
  }

  async get(params: TlsClientParams, init: TlsClientInit): Promise<ClientEngine | undefined> {
    const key = JSON.stringify([params, init])
    const engine = this.#engines.get(key) ?? this.#opened(key, params, init)
    this.#engines.delete(key)
    this.#engines.set(key, engine)
    if (this.#engines.size > this.#limit) {
      const [oldest] = this.#engines.keys()
      if (oldest !== undefined) this.#engines.delete(oldest)
    }
    return engine
  }

  /** One that could not be opened is not remembered: files come and go. */
  async #opened(
    key: string,
    params: TlsClientParams,
    init: TlsClientInit,
  ): Promise<ClientEngine | undefined> {
    let engine: ClientEngine | undefined
    try {
      engine = await this.#open(params, init)
      return engine
    } finally {
      if (engine === undefined) this.#engines.delete(key)
    }
  }
}
