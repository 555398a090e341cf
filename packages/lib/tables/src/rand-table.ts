/**
 * rand-table - `randmap:{value, value}`: one of the values, at random, for every key
 */
import { found, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'
import { bracedItems } from './table-source.ts'

export function openRandTable({ reference, name }: TableSource): LookupTable {
  const answers = bracedItems(name)?.map(found)
  const [first] = answers ?? []
  if (answers === undefined || first === undefined) {
    throw new TableOpenError(`bad syntax: "${reference}"; need "randmap:{value...}"`)
  }
  return {
    name: reference,
    isPattern: false,
    find: () => answers[Math.floor(Math.random() * answers.length)] ?? first,
  }
}
