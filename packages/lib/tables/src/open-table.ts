/**
 * open-table - from `type:name` to a table
 *
 * A table that cannot be opened does not end the program: it is logged as an error, and every lookup says "try again".
 * Only text that is no `type:name` at all is a configuration error. Source: Postfix 3.7 DATABASE_README.
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { readBerkeley } from './berkeley-file.ts'
import { readCdb } from './cdb-file.ts'
import { openCidrTable } from './cidr-table.ts'
import { DatabaseTable } from './database-table.ts'
import { openEnvironTable, openFailTable, openStaticTable } from './static-table.ts'
import { ABSENT, tryAgain, type LookupTable } from './lookup-table.ts'
import { openInlineTable, openTextTable, type KeyFold } from './memory-table.ts'
import { openPatternTable } from './pattern-table.ts'
import { pcrePattern } from './pcre-pattern.ts'
import { posixPattern } from './posix-pattern.ts'
import { openProxyTable } from './proxy-table.ts'
import { openRandTable } from './rand-table.ts'
import { openSocketmapTable } from './socketmap-table.ts'
import { openPipeTable, openUnionTable } from './compound-table.ts'
import { TableOpenError } from './table-error.ts'
import { openTcpTable } from './tcp-table.ts'
import { openUnixTable } from './unix-table.ts'
import { foldFor } from './key-fold.ts'

export interface TableContext {
  readonly config: MainConfig
  /** Keys are compared without regard to letter case; default true. */
  readonly foldsCase?: boolean
  /** `$1` in a result is an error: the result becomes a command or a file name (aliases). */
  readonly forbidsSubstitution?: boolean
  /** Values name files, and what these contain is found, in base64: see file-value.ts. */
  readonly valuesAreFiles?: boolean
}

/** What the opener of a type is given. */
export interface TableSource {
  /** The whole reference, for messages. */
  readonly reference: string
  /** What follows `type:`. */
  readonly name: string
  readonly context: TableContext
  readonly fold: KeyFold
}

type Opener = (source: TableSource) => LookupTable

const OPENERS: ReadonlyMap<string, Opener> = new Map<string, Opener>([
  ['btree', (source) => new DatabaseTable(source, `${source.name}.db`, readBerkeley)],
  ['cdb', (source) => new DatabaseTable(source, `${source.name}.cdb`, readCdb)],
  ['cidr', openCidrTable],
  ['environ', openEnvironTable],
  ['fail', openFailTable],
  ['hash', (source) => new DatabaseTable(source, `${source.name}.db`, readBerkeley)],
  ['inline', openInlineTable],
  ['internal', ({ reference }) => ({ name: reference, isPattern: false, find: () => ABSENT })],
  ['pcre', (source) => openPatternTable(source, 'pcre', pcrePattern)],
  ['pipemap', openPipeTable],
  ['proxy', openProxyTable],
  ['randmap', openRandTable],
  ['regexp', (source) => openPatternTable(source, 'regexp', posixPattern)],
  ['socketmap', openSocketmapTable],
  ['static', openStaticTable],
  ['tcp', openTcpTable],
  ['texthash', openTextTable],
  ['unionmap', openUnionTable],
  ['unix', openUnixTable],
])

const opened = new WeakMap<MainConfig, LookupTable[]>()

/** All that were opened for this configuration, those within other tables and in lists too. */
export function openedTables(config: MainConfig): readonly LookupTable[] {
  return opened.get(config) ?? []
}

/** `type:name`; a name alone has the type default_database_type. @throws {ConfigError} no type, or no name */
export function openTable(reference: string, context: TableContext): LookupTable {
  const [type, name] = splitReference(reference, context.config)
  const opener = OPENERS.get(type)
  try {
    if (opener === undefined) throw new TableOpenError(`unsupported dictionary type: ${type}`)
    const fold = foldFor(context.config, context.foldsCase ?? true)
    const table = opener({ reference: `${type}:${name}`, name, context, fold })
    opened.set(context.config, [...openedTables(context.config), table])
    return table
  } catch (error) {
    if (!(error instanceof TableOpenError)) throw error
    log.error(error.message)
    return unavailableTable(`${type}:${name}`, error.message)
  }
}

function splitReference(reference: string, config: MainConfig): [string, string] {
  const colon = reference.indexOf(':')
  if (colon < 0) return [config.text('default_database_type'), reference]
  const name = reference.slice(colon + 1)
  if (colon === 0 || name === '') {
    throw new ConfigError(`open dictionary: expecting "type:name" form instead of "${reference}"`)
  }
  return [reference.slice(0, colon), name]
}

function unavailableTable(name: string, reason: string): LookupTable {
  return {
    name,
    isPattern: false,
    find: () => {
      log.warning(`${name} is unavailable. ${reason}`)
      return tryAgain(`${name} is unavailable. ${reason}`)
    },
  }
}
