/**
 * approved-tables - the tables that proxymap(8) may open, and those that are open
 *
 * A table is approved when it occurs, with `proxy:`, among the words of proxy_read_maps or proxy_write_maps. It is opened
 * on first use and stays open for all clients.
 *
 * Limits: no more tables than are approved, each at most twice: with and without regard to letter case.
 * Source: Postfix 3.7 proxymap(8).
 */
import { CacheTable } from '@posthorn/tables/cache-table'
import type { LookupTable } from '@posthorn/tables/lookup-table'

/** @throws {ConfigError} text that is no table */
export type OpenProxied = (table: string, foldsCase: boolean) => LookupTable

/** `proxy:proxy:inline:{a=b}` is inline:{a=b}. */
export function withoutProxy(table: string): string {
  return table.replace(/^(?:proxy:)+/, '')
}

export class ApprovedTables {
  readonly #approved: ReadonlySet<string>
  readonly #open: OpenProxied
  readonly #tables = new Map<string, LookupTable>()

  /** `words` is the value of proxy_read_maps or proxy_write_maps. */
  constructor(words: readonly string[], open: OpenProxied) {
    const proxied = words.filter((word) => word.startsWith('proxy:'))
    this.#approved = new Set(proxied.map(withoutProxy))
    this.#open = open
  }

  isApproved(table: string): boolean {
    return this.#approved.has(table)
  }

  /** The open table. @throws {ConfigError} text that is no table */
  table(name: string, foldsCase: boolean): LookupTable {
    const key = `${foldsCase ? 'folded' : 'exact'} ${name}`
    const known = this.#tables.get(key)
    if (known !== undefined) return known
    const table = this.#open(name, foldsCase)
    this.#tables.set(key, table)
    return table
  }

  /** What was written is on its way to the disk. */
  async close(): Promise<void> {
    for (const table of this.#tables.values()) {
      if (table instanceof CacheTable) await table.close()
    }
  }
}
