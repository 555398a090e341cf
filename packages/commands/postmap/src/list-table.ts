/**
 * list-table - every entry of a table that is kept in a file
 */
import { readFileSync } from 'node:fs'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { readBerkeley } from '@posthorn/tables/berkeley-file'
import { readCdb } from '@posthorn/tables/cdb-file'
import { contentOf, valueAt } from '@posthorn/tables/file-value'
import { foldFor } from '@posthorn/tables/key-fold'
import { readEntries } from '@posthorn/tables/table-source'
import { DatabaseWriteError } from './create-database.ts'
import { PostmapUsageError, type PostmapOptions } from './postmap-options.ts'
import { warnMalformed } from './query-tables.ts'

/** In the order of the file. @throws {PostmapUsageError} the type has no order; {DatabaseWriteError} */
export function listTable(
  config: MainConfig,
  reference: string,
  { foldsCase, valuesAreFiles }: Pick<PostmapOptions, 'foldsCase' | 'valuesAreFiles'>,
): [key: string, value: string][] {
  const colon = reference.indexOf(':')
  const type = colon < 0 ? config.text('default_database_type') : reference.slice(0, colon)
  const name = reference.slice(colon + 1)
  const entries: [string, string][] = []
  const add = (key: string, value: string): void => {
    const shown = valuesAreFiles ? contentOf(value) : value
    if (shown === undefined) warnMalformed(reference, key, value)
    else entries.push([key, shown])
  }
  const visit = (key: string, value: string): void => {
    add(withoutNul(key), withoutNul(value))
  }
  switch (type) {
    case 'hash':
    case 'btree':
      readBerkeley(readDatabase(`${name}.db`), visit)
      return entries
    case 'cdb':
      readCdb(readDatabase(`${name}.cdb`), visit)
      return entries
    case 'texthash': {
      const fold = foldFor(config, foldsCase)
      const unique = new Map<string, string>()
      for (const { key, value, line } of readEntries(readDatabase(name).toString('latin1'), name)) {
        const folded = fold(key)
        const place = `${name}, line ${line}`
        if (unique.has(folded)) {
          log.warning(`${place}: duplicate entry: "${folded}"`)
          continue
        }
        const content = valueAt(place, value, { config, valuesAreFiles })
        if (content !== undefined) unique.set(folded, content)
      }
      for (const [key, value] of unique) add(key, value)
      return entries
    }
    default:
      throw new PostmapUsageError(
        `unsupported dictionary type: ${type} does not support sequence operations`,
      )
  }
}

function readDatabase(path: string): Buffer {
  try {
    // eslint-disable-next-line n/no-sync -- a command that has nothing else to do
    return readFileSync(path)
  } catch (error) {
    throw new DatabaseWriteError(`open database ${path}: ${errorReason(error)}`, { cause: error })
  }
}

function withoutNul(octets: string): string {
  return octets.endsWith('\0') ? octets.slice(0, -1) : octets
}
