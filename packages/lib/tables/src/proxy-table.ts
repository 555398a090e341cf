/**
 * proxy-table - `proxy:type:name`: a table that proxymap(8) opens for us
 *
 * All proxied tables of a process share one client. Whether a table holds patterns is the server's knowledge, which
 * comes with the first request; until then it is taken from the type in the name.
 * Source: Postfix 3.7 proxymap(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { PROXYMAP_STATUS, ProxymapClient, TABLE_FLAGS } from '@posthorn/wire/proxymap-protocol'
import { ABSENT, found, tryAgain, type LookupResult, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'

const PATTERN_TYPES = ['regexp', 'pcre', 'cidr', 'tcp', 'socketmap']

const clients = new Map<string, ProxymapClient>()

function clientOf(config: MainConfig): ProxymapClient {
  const path = `private/${config.text('proxymap_service_name')}`
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

export function openProxyTable({ reference, name, context }: TableSource): LookupTable {
  const table = name.replace(/^(?:proxy:)+/, '')
  const isPattern = PATTERN_TYPES.includes(table.replace(/:.*/s, ''))
  const client = clientOf(context.config)
  const isUtf8 = context.config.boolean('smtputf8_enable')
  const flags =
    TABLE_FLAGS.lock |
    ((context.foldsCase ?? true) ? TABLE_FLAGS.foldFix : 0) |
    (context.forbidsSubstitution ? TABLE_FLAGS.noRegSub : 0) |
    (isUtf8 ? TABLE_FLAGS.utf8Request : 0)
  const ask = async (key: string): Promise<LookupResult> => {
    const { status, value } = await client.lookup(table, flags, key)
    switch (status) {
      case PROXYMAP_STATUS.ok:
        return found(value)
      case PROXYMAP_STATUS.noKey:
        return ABSENT
      case PROXYMAP_STATUS.denied:
        return tryAgain(`${reference}: table is not approved for proxy access`)
      default:
        return tryAgain(`${reference}: proxymap service reports status ${status}`)
    }
  }
  return {
    name: reference,
    isPattern,
    find: async (key) => {
      try {
        return await ask(key)
      } catch (error) {
        // Rule 3: a service that does not answer is no answer.
        const reason = error instanceof Error ? error.message : String(error)
        log.warning(`${reference}: ${reason}`)
        return tryAgain(`${reference}: ${reason}`)
      }
    },
  }
}
