/**
 * file-value - values that are the contents of files, for tables that name the files
 *
 * As in aliases(5) of old, but for keys and certificates: tls_server_sni_maps. Tables of the configuration and of text files name
 * the files, and these are read when the table is opened, while who may read them still can. Tables that postmap(1) made or that
 * are asked over the network have the contents already. Either way a value comes out in base64.
 * Source: Postfix 3.7 postconf(5) tls_server_sni_maps.
 */
import { readFileSync } from 'node:fs'
import { splitList } from '@posthorn/config/split-list'
import { strerror } from '@posthorn/config/strerror'
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
  return Buffer.concat(parts.flatMap((part) => [part, Buffer.from('\n')])).toString('base64')
}
