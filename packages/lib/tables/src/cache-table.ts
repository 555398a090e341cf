/**
 * cache-table - a table that daemons write to while they run: `btree:/var/lib/postfix/sasl_auth_cache` and the like
 *
 * Kept in a CacheFile beside the path, with the suffix `.posthorn`: we write no Berkeley DB. Only the process that owns it may open
 * it, which is proxymap(8) as proxywrite.
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { errorReason } from '@posthorn/native/system-error'
import { CacheFile, cachePath } from './cache-file.ts'
import { foldFor } from './key-fold.ts'
import { ABSENT, found, type LookupResult, type WritableTable } from './lookup-table.ts'
import type { KeyFold } from './memory-table.ts'

/** Types of databases that Postfix can write to. */
const WRITABLE = new Set(['btree', 'dbm', 'hash', 'lmdb', 'sdbm'])

/** Lines of the journal for entries that are gone, before it is written anew; and twice as many as there are entries. */
const IDLE_LINES = 1000

/** By table: with and without regard to letter case it is the same file. */
const openFiles = new Map<string, CacheFile>()

export class CacheTable implements WritableTable {
  readonly name: string
  readonly isPattern = false
  readonly #file: CacheFile
  readonly #fold: KeyFold
  #changes = 0
  #compacting: Promise<void> | undefined
  #cursor: Iterator<[string, string]> | undefined

  private constructor(name: string, file: CacheFile, fold: KeyFold) {
    this.name = name
    this.#file = file
    this.#fold = fold
  }

  /** Undefined: tables of this type cannot be written. @throws {ConfigError} the file cannot be read */
  static open(reference: string, config: MainConfig, foldsCase: boolean): CacheTable | undefined {
    if (!WRITABLE.has(reference.slice(0, Math.max(0, reference.indexOf(':'))))) return undefined
    const fold = foldFor(config, foldsCase)
    const known = openFiles.get(reference)
    if (known !== undefined) return new CacheTable(reference, known, fold)
    const file = new CacheFile({ path: cachePath(reference) })
    try {
      file.load()
    } catch (error) {
      throw new ConfigError(`cannot read ${reference}: ${errorReason(error)}`, { cause: error })
    }
    openFiles.set(reference, file)
    return new CacheTable(reference, file, fold)
  }

  readonly find = (key: string): LookupResult => {
    const value = this.#file.find(this.#fold(key))
    return value === undefined ? ABSENT : found(value)
  }

  readonly update = (key: string, value: string): true => {
    this.#file.set(this.#fold(key), value)
    this.#count()
    return true
  }

  readonly remove = (key: string): boolean => {
    const folded = this.#fold(key)
    const isThere = this.#file.find(folded) !== undefined
    if (!isThere) return false
    this.#file.delete(folded)
    this.#count()
    return true
  }

  /** One entry after the other; undefined: that was the last. Who walks shares one place with all others. */
  readonly walk = (which: 'first' | 'next'): readonly [string, string] | undefined => {
    if (which === 'first') this.#cursor = this.#file.entries()
    const step = this.#cursor?.next()
    return step === undefined || step.done === true ? undefined : step.value
  }

  async close(): Promise<void> {
    openFiles.delete(this.name)
    await this.#compacting
    await this.#file.close()
  }

  #count(): void {
    this.#changes += 1
    if (this.#changes < IDLE_LINES + 2 * this.#file.size) return
    this.#changes = 0
    this.#compacting = this.#file.compact()
  }
}
