/**
 * proxymap-protocol - looking up tables through proxymap(8), for a client that cannot open them itself
 *
 * Many requests per connection. A table is `type:name` without `proxy:`. Flags come in three groups: implementation
 * flags are set by the table type and told to the client in the reply to open; request flags may differ from request
 * to request; the rest belongs to the instance of the table. open carries instance flags only, the other requests the
 * instance flags and those of the request. The server keeps one table for each name with instance flags.
 *
 * Source: Postfix 3.7 proxymap(8).
 */
import type { AttrList } from './attr-list.ts'
import { statusFields } from './attr-groups.ts'
import { defineList, defineRequest, int, requestName, text, type RequestOf } from './attr-schema.ts'
import { PersistentClient, type ServiceClientOptions } from './service-client.ts'

export const proxymapProtocol = 'proxymap_protocol'

export const PROXYMAP_STATUS = {
  ok: 0,
  noKey: 1,
  retry: 2,
  bad: 3,
  denied: 4,
  config: 5,
} as const

export const TABLE_FLAGS = {
  dupWarn: 0x1,
  dupIgnore: 0x2,
  try0Null: 0x4,
  try1Null: 0x8,
  fixed: 0x10,
  pattern: 0x20,
  lock: 0x40,
  dupReplace: 0x80,
  syncUpdate: 0x100,
  debug: 0x200,
  noRegSub: 0x800,
  noProxy: 0x1000,
  noUnauth: 0x2000,
  foldFix: 0x4000,
  foldMul: 0x8000,
  openLock: 0x10000,
  bulkUpdate: 0x20000,
  multiWriter: 0x40000,
  utf8Request: 0x80000,
  utf8Active: 0x100000,
  sourceIsFile: 0x200000,
} as const

/** Set by the table type. */
export const implementationFlags = 0x40030
/** May differ from request to request. */
export const requestFlags = 0x8f9c3
/** Fixed when the table is opened. */
export const instanceFlags = ~(implementationFlags | requestFlags)

const tableFields = { table: text('table'), flags: int('flags') }

export const TableOpen = defineRequest('open', tableFields)
export const TableLookup = defineRequest('lookup', { ...tableFields, key: text('key') })
export const TableUpdate = defineRequest('update', {
  ...tableFields,
  key: text('key'),
  value: text('value'),
})
export const TableDelete = defineRequest('delete', { ...tableFields, key: text('key') })
/** function 0: the first entry, 1: the next one */
export const TableSequence = defineRequest('sequence', {
  ...tableFields,
  function: int('function'),
})

export type ProxymapRequest =
  | RequestOf<typeof TableOpen>
  | RequestOf<typeof TableLookup>
  | RequestOf<typeof TableUpdate>
  | RequestOf<typeof TableDelete>
  | RequestOf<typeof TableSequence>

export const TableStatusReply = defineList(statusFields)
export const TableOpenReply = defineList({ ...statusFields, flags: int('flags') })
export const TableLookupReply = defineList({ ...statusFields, value: text('value') })
export const TableSequenceReply = defineList({
  ...statusFields,
  key: text('key'),
  value: text('value'),
})

/**
 * @returns undefined for a request that proxymap(8) does not know, or none at all: the reply is status `bad`
 * @throws {AttrError} missing, extra, misplaced or malformed attributes of a known request
 */
export function parseProxymapRequest(attrs: AttrList): ProxymapRequest | undefined {
  switch (requestName(attrs)) {
    case 'open':
      return TableOpen.parse(attrs)
    case 'lookup':
      return TableLookup.parse(attrs)
    case 'update':
      return TableUpdate.parse(attrs)
    case 'delete':
      return TableDelete.parse(attrs)
    case 'sequence':
      return TableSequence.parse(attrs)
    default:
      return undefined
  }
}

/** The names of a request's arguments tell a client that sent too few what kind of reply it gets. */
export function encodeProxymapFailure(kind: string | undefined, status: number): string {
  switch (kind) {
    case 'open':
      return TableOpenReply.encode({ status, flags: 0 })
    case 'lookup':
      return TableLookupReply.encode({ status, value: '' })
    case 'sequence':
      return TableSequenceReply.encode({ status, key: '', value: '' })
    default:
      return TableStatusReply.encode({ status })
  }
}

/** Replies with the status as it came: what a status means is the caller's to say. */
export class ProxymapClient {
  readonly #client: PersistentClient

  constructor(options: Omit<ServiceClientOptions, 'protocol' | 'encoding'>) {
    this.#client = new PersistentClient({
      retryForMs: 100_000,
      ...options,
      protocol: proxymapProtocol,
    })
  }

  /** @throws {ServiceError} */
  async open(table: string, flags: number): Promise<{ status: number; flags: number }> {
    const request = TableOpen.encode({ table, flags: flags & instanceFlags })
    return this.#client.ask(request, TableOpenReply.parse)
  }

  /** @throws {ServiceError} */
  async lookup(
    table: string,
    flags: number,
    key: string,
    signal?: AbortSignal,
  ): Promise<{ status: number; value: string }> {
    const request = TableLookup.encode({ table, flags, key })
    return this.#client.ask(request, TableLookupReply.parse, { signal })
  }

  /** @throws {ServiceError} */
  async update(table: string, flags: number, key: string, value: string): Promise<number> {
    const request = TableUpdate.encode({ table, flags, key, value })
    return (await this.#client.ask(request, TableStatusReply.parse)).status
  }

  /** @throws {ServiceError} */
  async delete(table: string, flags: number, key: string): Promise<number> {
    const request = TableDelete.encode({ table, flags, key })
    return (await this.#client.ask(request, TableStatusReply.parse)).status
  }

  /** @throws {ServiceError} */
  async sequence(
    table: string,
    flags: number,
    which: 'first' | 'next',
  ): Promise<{ status: number; key: string; value: string }> {
    const request = TableSequence.encode({ table, flags, function: which === 'first' ? 0 : 1 })
    return this.#client.ask(request, TableSequenceReply.parse)
  }

  close(): void {
    this.#client.close()
  }
}
