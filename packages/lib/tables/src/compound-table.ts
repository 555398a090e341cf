/**
 * compound-table - tables made of tables: unionmap, pipemap
 *
 *     unionmap:{a:…, b:…}   the values of all tables that have the key, joined by commas
 *     pipemap:{a:…, b:…}    the value found in one is the key for the next; absent in one is absent
 *
 * A failure of any of them is a failure of the whole.
 */
import {
  ABSENT,
  andThen,
  found,
  type LookupResult,
  type LookupTable,
  type MaybePromise,
} from './lookup-table.ts'
import { openTable, type TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'
import { bracedItems } from './table-source.ts'

function openParts({ reference, name, context }: TableSource, type: string): LookupTable[] {
  const items = bracedItems(name)
  if (items === undefined || items.some((item) => !item.includes(':'))) {
    throw new TableOpenError(`bad syntax: "${reference}"; need "${type}:{type:name...}"`)
  }
  return items.map((item) => openTable(item, context))
}

export function openUnionTable(source: TableSource): LookupTable {
  const tables = openParts(source, 'unionmap')
  const collect = (key: string, at: number, values: string[]): MaybePromise<LookupResult> => {
    const table = tables[at]
    if (table === undefined) return values.length > 0 ? found(values.join(',')) : ABSENT
    return andThen(table.find(key), (answer): MaybePromise<LookupResult> => {
      if (answer.kind === 'tryAgain') return answer
      return collect(key, at + 1, answer.kind === 'found' ? [...values, answer.value] : values)
    })
  }
  return {
    name: source.reference,
    isPattern: tables.some((table) => table.isPattern),
    find: (key): MaybePromise<LookupResult> => collect(key, 0, []),
  }
}

export function openPipeTable(source: TableSource): LookupTable {
  const tables = openParts(source, 'pipemap')
  const pass = (key: string, at: number): MaybePromise<LookupResult> => {
    const table = tables[at]
    if (table === undefined) return found(key)
    return andThen(table.find(key), (answer): MaybePromise<LookupResult> =>
      answer.kind === 'found' ? pass(answer.value, at + 1) : answer,
    )
  }
  return {
    name: source.reference,
    isPattern: tables.some((table) => table.isPattern),
    find: (key): MaybePromise<LookupResult> => pass(key, 0),
  }
}
