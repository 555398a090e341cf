/**
 * proxymap-service - the requests of proxymap(8) and proxywrite
 *
 * A request that is not well-formed or not allowed gets a status; the conversation goes on. What is no request at all
 * costs the connection. A client that has begun a request has a second to end it, and a second to take the reply.
 *
 * As proxywrite it writes to what CacheTable can keep; for other tables update, delete and sequence get "retry later".
 * Source: Postfix 3.7 proxymap(8).
 */
import { ConfigError } from '@posthorn/config/config-error'
import { log } from '@posthorn/log/log'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { CacheTable } from '@posthorn/tables/cache-table'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import type { AttrList } from '@posthorn/wire/attr-list'
import { requestName } from '@posthorn/wire/attr-schema'
import { Channel } from '@posthorn/wire/channel'
import {
  encodeProxymapFailure,
  implementationFlags,
  parseProxymapRequest,
  PROXYMAP_STATUS,
  proxymapProtocol,
  TABLE_FLAGS,
  TableLookupReply,
  TableOpenReply,
  TableSequenceReply,
  TableStatusReply,
  type ProxymapRequest,
} from '@posthorn/wire/proxymap-protocol'
import { AttrError } from '@posthorn/wire/wire-error'
import { withoutProxy, type ApprovedTables } from './approved-tables.ts'

const requestTimeoutMs = 1000
const { ok, noKey, retry, bad, denied, config } = PROXYMAP_STATUS

export class ProxymapService {
  readonly #tables: ApprovedTables
  readonly #isWriter: boolean
  readonly #whenStale: (reason: string) => void

  /** `isWriter`: the service is proxywrite. `whenStale`: a table has changed, and a new process must read it. */
  constructor(tables: ApprovedTables, isWriter: boolean, whenStale: (reason: string) => void) {
    this.#tables = tables
    this.#isWriter = isWriter
    this.#whenStale = whenStale
  }

  /** One client, until it hangs up. @throws {AttrError | StreamTimeoutError} its connection must be closed */
  async serve(stream: ByteStream): Promise<void> {
    const channel = new Channel(stream)
    const idleTimeoutMs = stream.timeoutMs
    channel.announce(proxymapProtocol)
    for (;;) {
      stream.timeoutMs = idleTimeoutMs
      if (!(await channel.untilInput())) return
      stream.timeoutMs = requestTimeoutMs
      const attrs = await channel.receive()
      if (attrs === undefined) return
      channel.send(await this.#answer(attrs))
      await stream.flush()
    }
  }

  async stop(): Promise<void> {
    await this.#tables.close()
  }

  async #answer(attrs: AttrList): Promise<string> {
    const name = requestName(attrs)
    if (name === undefined) throw new AttrError('Cannot parse proxymap request: want request first')
    let request: ProxymapRequest | undefined
    try {
      request = parseProxymapRequest(attrs)
      if (request === undefined) log.warning(`unrecognized request: "${name}", ignored`)
    } catch (error) {
      if (!(error instanceof AttrError)) throw error
      log.warning(error.message)
    }
    if (request === undefined || request.table === '') return encodeProxymapFailure(name, bad)
    const table = withoutProxy(request.table)
    const status = this.#permission(request, table)
    if (status !== ok) return encodeProxymapFailure(name, status)
    return this.#serve(request, table)
  }

  #permission(request: ProxymapRequest, table: string): number {
    const { request: kind } = request
    if (!this.#isWriter && (kind === 'update' || kind === 'delete')) {
      log.warning(`refusing ${table} ${kind} request on non-proxywrite service`)
      return denied
    }
    if (!this.#tables.isApproved(table)) {
      const [access, parameter] = this.#isWriter
        ? ['read-write', 'proxy_write_maps']
        : ['read-only', 'proxy_read_maps']
      log.warning(`request for unapproved table: "${table}"`)
      log.warning(
        `to approve this table for ${access} access, list proxy:${table} in main.cf:${parameter}`,
      )
      return denied
    }
    return kind === 'sequence' && request.function !== 0 && request.function !== 1 ? bad : ok
  }

  async #serve(request: ProxymapRequest, name: string): Promise<string> {
    const kind = request.request
    let table: LookupTable
    try {
      table = this.#tables.table(name, (request.flags & TABLE_FLAGS.foldFix) !== 0)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      log.warning(error.message)
      return encodeProxymapFailure(kind, config)
    }
    if (kind === 'lookup') return this.#lookup(table, request.key)
    if (kind !== 'open') return change(table, request)
    const flags = (request.flags & ~implementationFlags) | implementationFlagsOf(table)
    return TableOpenReply.encode({ status: ok, flags })
  }

  async #lookup(table: LookupTable, key: string): Promise<string> {
    const answer = await table.find(key)
    if (table.isStale === true) this.#whenStale(`table ${table.name} has changed -- restarting`)
    switch (answer.kind) {
      case 'found':
        return TableLookupReply.encode({ status: ok, value: answer.value })
      case 'absent':
        return TableLookupReply.encode({ status: noKey, value: '' })
      case 'tryAgain':
        log.warning(`table ${table.name}: ${answer.reason}`)
        return TableLookupReply.encode({ status: retry, value: '' })
    }
  }
}

function change(
  table: LookupTable,
  request: Exclude<ProxymapRequest, { request: 'open' | 'lookup' }>,
): string {
  const kind = request.request
  if (!(table instanceof CacheTable)) {
    log.warning(`table ${table.name}: ${kind} is not supported by this proxymap service`)
    return encodeProxymapFailure(kind, retry)
  }
  switch (kind) {
    case 'update':
      // an update replaces, whatever the flags say
      table.update(request.key, request.value)
      return TableStatusReply.encode({ status: ok })
    case 'delete':
      return TableStatusReply.encode({ status: table.remove(request.key) ? ok : noKey })
    case 'sequence': {
      const entry = table.walk(request.function === 0 ? 'first' : 'next')
      if (entry === undefined) return encodeProxymapFailure(kind, noKey)
      return TableSequenceReply.encode({ status: ok, key: entry[0], value: entry[1] })
    }
  }
}

/** Tables of files whose keys may or may not end in NUL. */
const indexedTypes = new Set(['hash', 'btree', 'cdb', 'lmdb'])

/** The flags that a table's type implies: a client treats patterns unlike fixed strings. */
function implementationFlagsOf({ name, isPattern }: LookupTable): number {
  if (isPattern) return TABLE_FLAGS.pattern
  const isIndexed = indexedTypes.has(name.slice(0, name.indexOf(':')))
  const { fixed, try0Null, try1Null } = TABLE_FLAGS
  return isIndexed ? fixed | try0Null | try1Null : fixed
}
