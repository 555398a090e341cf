/**
 * proxy-table - `proxy:type:name`: a table that proxymap(8) opens for us
 *
 * All proxied tables of a process share one client. Whether a table holds patterns is the server's knowledge, which
 * comes with the first request; until then it is taken from the type in the name.
 * Source: Postfix 3.7 proxymap(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { PROXYMAP_STATUS, ProxymapClient, TABLE_FLAGS } from '@posthorn/wire/proxymap-protocol'
import { ABSENT, found, tryAgain, type LookupResult, type WritableTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'

const PATTERN_TYPES = ['regexp', 'pcre', 'cidr', 'tcp', 'socketmap']

const clients = new Map<string, ProxymapClient>()

function clientOf(config: MainConfig, service: ProxyService): ProxymapClient {
  const path = `private/${config.text(service)}`
  const known = clients.get(path)
  if (known) return known
  const client = new ProxymapClient({
    path,
    idleMs: config.seconds('ipc_idle') * 1000,
    ttlMs: config.seconds('ipc_ttl') * 1000,
    timeoutMs: config.seconds('ipc_timeout') * 1000,
  })
  clients.set(path, client)
  return client
}

type ProxyService = 'proxymap_service_name' | 'proxywrite_service_name'

class ProxyTable implements WritableTable {
  readonly name: string
  readonly isPattern: boolean
  readonly #table: string
  readonly #flags: number
  readonly #client: ProxymapClient

  constructor(reference: string, flags: number, client: ProxymapClient) {
    this.name = reference
    this.#table = reference.replace(/^(?:proxy:)+/, '')
    this.isPattern = PATTERN_TYPES.includes(this.#table.replace(/:.*/s, ''))
    this.#flags = flags
    this.#client = client
  }

  readonly find = async (key: string): Promise<LookupResult> => {
    try {
      const { status, value } = await this.#client.lookup(this.#table, this.#flags, key)
      switch (status) {
        case PROXYMAP_STATUS.ok:
          return found(value)
        case PROXYMAP_STATUS.noKey:
          return ABSENT
        default:
          return tryAgain(`${this.name}: ${reasonOf(status)}`)
      }
    } catch (error) {
      // Rule 3: a service that does not answer is no answer.
      const reason = errorReason(error)
      log.warning(`${this.name}: ${reason}`)
      return tryAgain(`${this.name}: ${reason}`)
    }
  }

  readonly update = async (key: string, value: string): Promise<boolean> =>
    this.#change(async () => this.#client.update(this.#table, this.#flags, key, value))

  readonly remove = async (key: string): Promise<boolean> =>
    this.#change(async () => this.#client.delete(this.#table, this.#flags, key))

  async #change(ask: () => Promise<number>): Promise<boolean> {
    try {
      const status = await ask()
      if (status !== PROXYMAP_STATUS.ok && status !== PROXYMAP_STATUS.noKey) {
        log.warning(`${this.name}: ${reasonOf(status)}`)
      }
      return status === PROXYMAP_STATUS.ok
    } catch (error) {
      log.warning(`${this.name}: ${errorReason(error)}`)
      return false
    }
  }
}

function reasonOf(status: number): string {
  return status === PROXYMAP_STATUS.denied
    ? 'table is not approved for proxy access'
    : `proxymap service reports status ${status}`
}

export function openProxyTable({ reference, context }: TableSource): WritableTable {
  const { config } = context
  const flags =
    TABLE_FLAGS.lock |
    ((context.foldsCase ?? true) ? TABLE_FLAGS.foldFix : 0) |
    (context.forbidsSubstitution ? TABLE_FLAGS.noRegSub : 0) |
    (config.boolean('smtputf8_enable') ? TABLE_FLAGS.utf8Request : 0)
  return new ProxyTable(reference, flags, clientOf(config, 'proxymap_service_name'))
}

/** `proxy:type:name`, to be changed: through proxywrite. An update replaces; keys are compared as octets. */
export function openProxyWriter(reference: string, config: MainConfig): WritableTable {
  const flags =
    TABLE_FLAGS.dupReplace |
    TABLE_FLAGS.syncUpdate |
    (config.boolean('smtputf8_enable') ? TABLE_FLAGS.utf8Request : 0)
  return new ProxyTable(reference, flags, clientOf(config, 'proxywrite_service_name'))
}
