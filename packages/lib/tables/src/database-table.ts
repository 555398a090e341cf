/**
 * database-table - hash, btree and cdb: files that postmap(1) made, read into memory and read again when they change
 *
 * The file stays open, so that a rewritten one can be read after privileges and root directory are gone. When it was
 * replaced and the new one cannot be opened, the table keeps what it has and says that it is stale: the program should
 * make room for a fresh process. Reading happens under the shared lock that postmap(1) respects.
 * Limits: the whole table is in memory; at most every 100 ms a lookup looks whether the file changed (fstat, 2 us).
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { strerror } from '@posthorn/config/strerror'
import { log } from '@posthorn/log/log'
import { tryLock, unlock, waitLock } from '@posthorn/native/lock'
import type { EntryVisitor } from './berkeley-file.ts'
import {
  ABSENT,
  found,
  tryAgain,
  type LookupResult,
  type LookupTable,
  type MaybePromise,
} from './lookup-table.ts'
import type { KeyFold } from './memory-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'

/* eslint-disable n/no-sync -- opening happens at start; fstat on an open file costs 2 us (docs/performance.md 7) */

const CHECK_INTERVAL_MS = 100
/** A source file counts as newer when it was changed longer ago than this. */
const SOURCE_SETTLED_MS = 100_000

type Entries = ReadonlyMap<string, string>

interface Version {
  readonly mtimeMs: number
  readonly size: number
}

export type DatabaseFormat = (file: Buffer, visit: EntryVisitor) => void

export class DatabaseTable implements LookupTable {
  readonly name: string
  readonly isPattern = false
  isStale = false
  readonly #path: string
  readonly #format: DatabaseFormat
  readonly #fold: KeyFold
  #fd: number
  #entries: Entries | undefined
  #failure: string | undefined
  #version: Version = { mtimeMs: 0, size: -1 }
  #checkedAtMs = 0
  #loading: Promise<void> | undefined

  /** @throws {TableOpenError} the file cannot be opened */
  constructor(source: TableSource, path: string, format: DatabaseFormat) {
    this.name = source.reference
    this.#path = path
    this.#format = format
    this.#fold = source.fold
    try {
      this.#fd = openSync(path, 'r')
    } catch (error) {
      throw new TableOpenError(`open database ${path}: ${strerror(error)}`, { cause: error })
    }
    warnOldDatabase(path, source.name)
    if (tryLock(this.#fd, 'shared')) this.#readLocked()
  }

  readonly find = (key: string): MaybePromise<LookupResult> => {
    const now = Date.now()
    if (now - this.#checkedAtMs >= CHECK_INTERVAL_MS) this.#check(now)
    return this.#loading ? this.#loading.then(() => this.#lookUp(key)) : this.#lookUp(key)
  }

  #lookUp(key: string): LookupResult {
    if (this.#entries === undefined) return tryAgain(`${this.name}: ${this.#failure ?? 'not read'}`)
    const value = this.#entries.get(this.#fold(key))
    return value === undefined ? ABSENT : found(value)
  }

  #check(now: number): void {
    this.#checkedAtMs = now
    if (this.#loading !== undefined || this.isStale) return
    const { mtimeMs, size, nlink } = fstatSync(this.#fd)
    if (nlink === 0 && !this.#reopen()) return
    const isSame = mtimeMs === this.#version.mtimeMs && size === this.#version.size
    if (isSame && nlink > 0) return
    this.#loading = this.#reload().finally(() => {
      this.#loading = undefined
    })
  }

  #reopen(): boolean {
    try {
      const fd = openSync(this.#path, 'r')
      closeSync(this.#fd)
      this.#fd = fd
      return true
    } catch {
      // The table lives on without its file; the program is told, and need not be.
      this.isStale = true
      return false
    }
  }

  async #reload(): Promise<void> {
    try {
      await waitLock(this.#fd, 'shared')
    } catch (error) {
      this.#failure = strerror(error)
      this.#entries = undefined
      return
    }
    this.#readLocked()
  }

  /** Reads everything; the lock is held, and given back. A damaged file leaves the table without answers. */
  #readLocked(): void {
    try {
      const { mtimeMs, size } = fstatSync(this.#fd)
      this.#version = { mtimeMs, size }
      const file = Buffer.allocUnsafe(size)
      let length = 0
      while (length < size) {
        const count = readSync(this.#fd, file, length, size - length, length)
        if (count === 0) break
        length += count
      }
      this.#entries = collect(file.subarray(0, length), this.#format)
      this.#failure = undefined
    } catch (error) {
      this.#entries = undefined
      this.#failure = `error reading ${this.#path}: ${strerror(error)}`
      log.error(`${this.name}: ${this.#failure}`)
    } finally {
      unlock(this.#fd)
    }
  }
}

/**
 * postmap(1) ends keys and values with a NUL for hash and btree. Entries without one beside entries with one are not
 * entries but notes, such as YP_LAST_MODIFIED in alias databases.
 */
function collect(file: Buffer, format: DatabaseFormat): Entries {
  const terminated = new Map<string, string>()
  const plain = new Map<string, string>()
  format(file, (key, value) => {
    if (key.endsWith('\0')) terminated.set(key.slice(0, -1), value.replace(/\0$/, ''))
    else plain.set(key, value)
  })
  return terminated.size > 0 ? terminated : plain
}

function warnOldDatabase(path: string, source: string): void {
  const text = statSync(source, { throwIfNoEntry: false })
  const database = statSync(path, { throwIfNoEntry: false })
  if (text === undefined || database === undefined) return
  const isOld = text.mtimeMs > database.mtimeMs && text.mtimeMs < Date.now() - SOURCE_SETTLED_MS
  if (isOld) log.warning(`database ${path} is older than source file ${source}`)
}
