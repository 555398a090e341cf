/**
 * engine-cache - TLS client engines, one for each distinct set of settings
 *
 * An engine holds keys and certificates, which take milliseconds to load, and is good for any number of connections. The
 * first is opened with tlsproxy(8)'s own settings while it may still read what is readable for root only.
 *
 * Holds: at most `limit` engines; beyond that the one that was not used for longest goes. Sessions that it began go on.
 */
import type { ClientEngine } from '@posthorn/tls/client-engine'
import { RecentMap } from '@posthorn/tls/recent-map'
import type { TlsClientInit, TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'

/** undefined: TLS is not available with these settings, and why has been logged. */
export type OpenEngine = (
  params: TlsClientParams,
  init: TlsClientInit,
) => Promise<ClientEngine | undefined>

const DEFAULT_LIMIT = 32

export class EngineCache {
  readonly #engines: RecentMap<Promise<ClientEngine | undefined>>
  readonly #open: OpenEngine

  constructor(open: OpenEngine, limit = DEFAULT_LIMIT) {
    this.#open = open
    this.#engines = new RecentMap(limit)
  }

  async get(params: TlsClientParams, init: TlsClientInit): Promise<ClientEngine | undefined> {
    const key = JSON.stringify([params, init])
    return this.#engines.get(key, async () => this.#opened(key, params, init))
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
