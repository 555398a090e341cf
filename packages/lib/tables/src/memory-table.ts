/**
 * memory-table - tables that are wholly in memory and never change: inline, texthash
 */
import { splitAssignment, type Assignment } from '@posthorn/config/assignment'
import { unbrace } from '@posthorn/config/braces'
import { strerror } from '@posthorn/config/strerror'
import { log } from '@posthorn/log/log'
import { errorCode } from '@posthorn/native/system-error'
import { valueAt, valueOf } from './file-value.ts'
import { ABSENT, found, type LookupResult, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'
import { bracedItems, readEntries, readTableText } from './table-source.ts'

export type KeyFold = (key: string) => string

/** Answers from a map whose keys are folded already. */
export class MemoryTable implements LookupTable {
  readonly name: string
  readonly isPattern = false
  readonly #entries: ReadonlyMap<string, string>
  readonly #fold: KeyFold

  constructor(name: string, entries: ReadonlyMap<string, string>, fold: KeyFold) {
    this.name = name
    this.#entries = entries
    this.#fold = fold
  }

  readonly find = (key: string): LookupResult => {
    const value = this.#entries.get(this.#fold(key))
    return value === undefined ? ABSENT : found(value)
  }
}

/** `inline:{ key=value, { key = text with blanks } }` */
export function openInlineTable({ reference, name, fold, context }: TableSource): LookupTable {
  const need = `need "inline:{name=${context.valuesAreFiles === true ? 'filename' : 'value'}...}"`
  const items = bracedItems(name)
  if (items === undefined) {
    const fault = /^\{\s+\}$/.test(name) ? 'empty table' : 'bad syntax'
    throw new TableOpenError(`${fault}: "${reference}"; ${need}`)
  }
  const entries = new Map<string, string>()
  for (const item of items) {
    const inside = item.startsWith('{') ? unbrace(item) : { kind: 'payload' as const, text: item }
    const entry = inside.kind === 'payload' ? splitEntry(inside.text) : inside
    if (entry.kind === 'malformed')
      throw new TableOpenError(`${entry.why}: "${reference}"; ${need}`)
    try {
      entries.set(fold(entry.name), valueOf(entry.value, context))
    } catch (error) {
      if (!(error instanceof TableOpenError)) throw error
      throw new TableOpenError(`${error.message}: "${reference}"; ${need}`, { cause: error })
    }
  }
  return new MemoryTable(reference, entries, fold)
}

/** As an assignment; a key in quotes may have blanks in it, and keeps the quotes. */
function splitEntry(text: string): Assignment {
  const [, name, value = ''] = /^\s*("(?:\\[^]|[^"\\])*")\s*=\s*([^]*)$/.exec(text) ?? []
  return name === undefined ? splitAssignment(text) : { kind: 'assignment', name, value }
}

/** `texthash:/file`: the text itself, read once. The first of two equal keys wins. */
export function openTextTable({ reference, name, fold, context }: TableSource): LookupTable {
  let text: string
  try {
    text = readTableText(name)
  } catch (error) {
    const step = errorCode(error) === 'EISDIR' ? 'read' : 'open database'
    throw new TableOpenError(`${step} ${name}: ${strerror(error)}`, { cause: error })
  }
  const entries = new Map<string, string>()
  for (const { key, value, line } of readEntries(text, name)) {
    const folded = fold(key)
    const place = `${name}, line ${line}`
    if (entries.has(folded)) {
      log.warning(`${place}: duplicate entry: "${key}"`)
      continue
    }
    const content = valueAt(place, value, context)
    if (content !== undefined) entries.set(folded, content)
  }
  return new MemoryTable(reference, entries, fold)
}
