/**
 * query-tables - asks tables of any type for a key, as the daemons do, but for the whole key only
 */
import { log } from '@posthorn/log/log'
import { contentOf } from '@posthorn/tables/file-value'
import type { LookupTable } from '@posthorn/tables/lookup-table'

/** The table cannot answer; nobody knows whether the key is there. */
export class QueryError extends Error {
  override readonly name = 'QueryError'
  readonly code = 'POSTHORN_QUERY'
}

/** The value in the first table that has the key. @throws {QueryError} */
export async function queryTables(
  tables: readonly LookupTable[],
  key: string,
  valuesAreFiles: boolean,
): Promise<string | undefined> {
  for (const table of tables) {
    const result = await table.find(key)
    if (result.kind === 'found') {
      if (!valuesAreFiles) return result.value
      const content = contentOf(result.value)
      if (content !== undefined) return content
      warnMalformed(table.name, key, result.value)
      throw new QueryError(`table ${table.name}: query error`)
    }
    if (result.kind === 'tryAgain') {
      throw new QueryError(`table ${table.name}: query error: ${result.reason}`)
    }
  }
  return undefined
}

/** -F, and the table was made without. */
export function warnMalformed(table: string, key: string, value: string): void {
  log.warning(`table ${table}: key ${key}: malformed BASE64 value: ${value}`)
}

/** Lines of `KEY separator VALUE` for those keys of standard input that are found. @throws {QueryError} */
export async function* queryLines(
  ask: (key: string) => Promise<string | undefined>,
  input: AsyncIterable<string>,
  separator: string,
): AsyncGenerator<string, void, undefined> {
  for await (const key of input) {
    const value = await ask(key)
    if (value !== undefined) yield `${key}${separator}${value}\n`
  }
}
