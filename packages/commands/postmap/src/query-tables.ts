/**
 * query-tables - asks tables of any type for a key, as the daemons do, but for the whole key only
 */
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
): Promise<string | undefined> {
  for (const table of tables) {
    const result = await table.find(key)
    if (result.kind === 'found') return result.value
    if (result.kind === 'tryAgain') {
      throw new QueryError(`table ${table.name}: query error: ${result.reason}`)
    }
  }
  return undefined
}

/** Lines of `KEY separator VALUE` for those keys of standard input that are found. @throws {QueryError} */
export async function* queryLines(
  tables: readonly LookupTable[],
  input: AsyncIterable<string>,
  separator: string,
): AsyncGenerator<string, void, undefined> {
  for await (const key of input) {
    const value = await queryTables(tables, key)
    if (value !== undefined) yield `${key}${separator}${value}\n`
  }
}
