/**
 * create-database - writes the database of a text file: `cdb:/path` becomes /path.cdb
 *
 * Written beside the old one, made safe on the disk, and put in its place at once: readers see the old or the new one.
 * Other types: texthash and its kin need no database; Berkeley DB (hash, btree) has no free description that would let
 * us write files which its library is sure to accept, and a damaged alias file loses mail.
 *
 * Source: Postfix 3.7 postmap(1), postalias(1).
 */
import {
  chownSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { valueAt } from '@posthorn/tables/file-value'
import { foldFor } from '@posthorn/tables/key-fold'
import { readEntries, type TableEntry } from '@posthorn/tables/table-source'
import { readAliases } from './alias-entries.ts'
import { encodeCdb } from './cdb-writer.ts'
import { PostmapUsageError, type PostmapOptions } from './postmap-options.ts'

/* eslint-disable n/no-sync -- a command that has nothing else to do */

/** A file could not be read or written. */
export class DatabaseWriteError extends Error {
  override readonly name = 'DatabaseWriteError'
  readonly code = 'POSTHORN_DATABASE_WRITE'
}

const STANDARD_MODE = 0o644

/** @throws {PostmapUsageError} a type that we do not write; {DatabaseWriteError} */
export function createDatabase(
  config: MainConfig,
  reference: string,
  isAliases: boolean,
  options: PostmapOptions,
): void {
  const colon = reference.indexOf(':')
  const type = colon < 0 ? config.text('default_database_type') : reference.slice(0, colon)
  const path = reference.slice(colon + 1)
  if (type !== 'cdb') throw new PostmapUsageError(whyNot(type, path))
  const source = attempt(`open ${path}`, () => readFileSync(path, 'latin1'))
  const entries = isAliases
    ? readAliases(source, path, (text) => {
        log.warning(text)
      })
    : readEntries(source, path).flatMap(({ key, value, line }) => {
        const content = valueAt(`${path}, line ${line}`, value, { config, ...options })
        return content === undefined ? [] : [{ key, value: content, line }]
      })
  const database = `${path}.cdb`
  const unique = uniqueEntries(entries, database, foldFor(config, options.foldsCase), options)
  if (isAliases) unique.set('@', '@')
  const nul = options.endsWithNul ? '\0' : ''
  const pairs = [...unique].map(([key, value]): [string, string] => [key + nul, value + nul])
  if (isAliases) {
    // for NIS; without NUL in either case
    pairs.push(['YP_LAST_MODIFIED', String(Math.floor(Date.now() / 1000)).padStart(10, '0')])
    pairs.push(['YP_MASTER_NAME', config.text('myhostname')])
  }
  writeDatabase(path, database, encodeCdb(pairs), options)
}

function whyNot(type: string, path: string): string {
  switch (type) {
    case 'hash':
    case 'btree':
      return `Posthorn reads ${type} tables and does not write them: use cdb:${path}, texthash:${path} without a database, or Postfix's postmap`
    default:
      return `unsupported dictionary type: ${type} does not support bulk-mode creation.`
  }
}

function uniqueEntries(
  entries: readonly TableEntry[],
  database: string,
  fold: (key: string) => string,
  { duplicates }: PostmapOptions,
): Map<string, string> {
  const unique = new Map<string, string>()
  for (const { key, value } of entries) {
    const folded = fold(key)
    if (!unique.has(folded) || duplicates === 'replace') unique.set(folded, value)
    else if (duplicates === 'warn') log.warning(`${database}: duplicate entry: "${folded}"`)
  }
  return unique
}

/** Others may read it as far as they may read the source; it belongs to whom the source belongs to. */
function writeDatabase(
  source: string,
  database: string,
  octets: Buffer,
  options: PostmapOptions,
): void {
  const { mode, uid, gid } = statSync(source)
  const temporary = `${database}.tmp`
  const wanted = options.hasOwnMode ? STANDARD_MODE : STANDARD_MODE & (mode | 0o600)
  attempt(`create ${database}`, () => {
    process.umask(0o022)
    const fd = openSync(temporary, 'w', wanted)
    try {
      for (let at = 0; at < octets.length;) at += writeSync(fd, octets, at)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    if (process.getuid?.() === 0 && !options.keepsOwner) chownSync(temporary, uid, gid)
    renameSync(temporary, database)
  })
}

function attempt<T>(what: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw new DatabaseWriteError(`${what}: ${errorReason(error)}`, { cause: error })
  }
}
