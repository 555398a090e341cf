/**
 * file-value - values that are the contents of files, for tables that name the files
 *
 * As in aliases(5) of old, but for keys and certificates: tls_server_sni_maps. Tables of the configuration and of text files name
 * the files, and these are read when the table is opened, while who may read them still can. Tables that postmap(1) made or that
 * are asked over the network have the contents already. Either way a value comes out in base64.
 * A file that cannot be read costs its entry; where there are no lines to skip, the table.
 * Source: Postfix 3.7 postconf(5) tls_server_sni_maps.
 */
import { readFileSync } from 'node:fs'
import { splitList } from '@posthorn/config/split-list'
import { strerror } from '@posthorn/config/strerror'
import { log } from '@posthorn/log/log'
import type { TableContext } from './open-table.ts'
import { TableOpenError } from './table-error.ts'

/** A value as it stands in the text of a table, as it is to be found. @throws {TableOpenError} a file cannot be read */
export function valueOf(text: string, { valuesAreFiles }: TableContext): string {
  if (valuesAreFiles !== true) return text
  const parts = splitList(text).map((path) => {
    try {
      // eslint-disable-next-line n/no-sync -- tables are opened at the start of a process, before privileges are dropped
      return readFileSync(path)
    } catch (error) {
      throw new TableOpenError(`open ${path}: ${strerror(error)}`, { cause: error })
    }
  })
  const lines = parts.flatMap((part, at) => (at === 0 ? [part] : [Buffer.from('\n'), part]))
  return Buffer.concat(lines).toString('base64')
}

/** As valueOf(), in line `place` of a file of entries. Undefined: there is none, which has been logged. */
export function valueAt(
  place: string,
  text: string,
  context: TableContext,
  what: 'entry' | 'rule' = 'entry',
): string | undefined {
  try {
    return valueOf(text, context)
  } catch (error) {
    if (!(error instanceof TableOpenError)) throw error
    log.warning(`${place}: ${error.message}: skipping this ${what}`)
    return undefined
  }
}

/** What stood in the files, octets; undefined: the value is not in base64. */
export function contentOf(value: string): string | undefined {
  const octets = Buffer.from(value, 'base64')
  return octets.toString('base64') === value ? octets.toString('latin1') : undefined
}
