/**
 * table-source - the text of tables that are written by hand: key and value lines, rules in braces
 */
import { readFileSync } from 'node:fs'
import { findBalanced, unbrace } from '@posthorn/config/braces'
import {
  isSpaceCode,
  readLogicalLines,
  trimSpace,
  type LogicalLine,
} from '@posthorn/config/logical-lines'
import { splitList } from '@posthorn/config/split-list'
import { strerror } from '@posthorn/config/strerror'
import { log } from '@posthorn/log/log'

/** Warnings of reading go to the log. @throws {Error} as readFileSync */
export function readTableText(path: string): string {
  // eslint-disable-next-line n/no-sync -- tables are opened at the start of a process, before privileges are dropped
  return readFileSync(path, 'latin1')
}

export function warnLine(text: string): void {
  log.warning(text)
}

export interface TableEntry {
  readonly key: string
  readonly value: string
  readonly line: number
}

/**
 * The entries of a text table: the first white space outside quotes ends the key; quotes and backslashes stay in it.
 * Lines that are none are warned about and left out. Source: Postfix 3.7 postmap(1).
 */
export function readEntries(text: string, path: string): TableEntry[] {
  const entries: TableEntry[] = []
  for (const { text: octets, first } of readLogicalLines(text, path, warnLine)) {
    // a NUL ends the line, as in Postfix
    const line = octets.split('\0', 1).join('')
    const place = `${path}, line ${first}`
    const end = endOfKey(line)
    if (end === undefined) {
      log.warning(`${place}: unbalanced '"' in '${line}' -- ignoring this line`)
      continue
    }
    const key = line.slice(0, end)
    const value = trimSpace(line.slice(end))
    if (value === '') {
      log.warning(`${place}: expected format: key whitespace value -- ignoring this line`)
      continue
    }
    if (key.endsWith(':')) {
      log.warning(`${place}: record is in "key: value" format; is this an alias file?`)
    }
    entries.push({ key, value, line: first })
  }
  return entries
}

function endOfKey(line: string): number | undefined {
  let isQuoted = false
  let at = 0
  for (; at < line.length; at++) {
    const char = line.charAt(at)
    if (char === '\\') at++
    else if (char === '"') isQuoted = !isQuoted
    else if (!isQuoted && isSpaceCode(line.charCodeAt(at))) break
  }
  return isQuoted ? undefined : Math.min(at, line.length)
}

/**
 * What stands in the braces of `type:{ … }`, as items: split at white space and commas, braces kept.
 * undefined: the text is not one pair of braces, or empty.
 */
export function bracedItems(name: string): string[] | undefined {
  if (!name.startsWith('{') || findBalanced(name, 0) !== name.length - 1) return undefined
  const items = splitList(name.slice(1, -1))
  return items.length > 0 ? items : undefined
}

/**
 * The rules of a table of patterns, from a file or from `{ { rule }, { rule } }`.
 * @throws {Error} the text says what is wrong
 */
export function readRules(name: string, type: string): LogicalLine[] {
  if (!name.startsWith('{')) {
    try {
      return readLogicalLines(readTableText(name), name, warnLine)
    } catch (error) {
      throw new Error(`open ${name}: ${strerror(error)}`, { cause: error })
    }
  }
  if (findBalanced(name, 0) !== name.length - 1)
    throw new Error(`${type} map: missing '}' in "${name}"`)
  const items = splitList(name.slice(1, -1))
  const text = items.map((item) => {
    const rule = unbrace(item)
    if (rule.kind === 'malformed') throw new Error(`${type} map: ${rule.why}`)
    return `${rule.text}\n`
  })
  return readLogicalLines(text.join(''), `${type} map ${name}`, warnLine)
}
