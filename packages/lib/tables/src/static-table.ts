/**
 * static-table - tables without contents: static, fail, environ
 */
import { unbrace } from '@posthorn/config/braces'
import { valueOf } from './file-value.ts'
import { ABSENT, found, tryAgain, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'

/** `static:value` or `static:{ text with blanks }`: the same value for every key. */
export function openStaticTable({ reference, name, context }: TableSource): LookupTable {
  let value = name
  if (name.startsWith('{')) {
    const inside = unbrace(name)
    if (inside.kind === 'malformed') {
      throw new TableOpenError(`bad static:name syntax: ${inside.why}`)
    }
    value = inside.text
  }
  const answer = found(valueOf(value, context))
  return { name: reference, isPattern: false, find: () => answer }
}

/** `fail:any`: no lookup succeeds. For tests, and to stop what depends on it. */
export function openFailTable({ reference }: TableSource): LookupTable {
  const answer = tryAgain(`${reference}: query error: Application error`)
  return { name: reference, isPattern: false, find: () => answer }
}

/** `environ:any`: the environment of the process. */
export function openEnvironTable({ reference }: TableSource): LookupTable {
  return {
    name: reference,
    isPattern: false,
    find: (key) => {
      const value = process.env[key]
      return value === undefined ? ABSENT : found(value)
    },
  }
}
