/**
 * cache-file - a map from text to text that survives the process
 *
 * All of it is in memory. The file is a journal: one line for each change, `["key","value"]` or `["key"]` for a
 * removal, octets as latin1. It is written again as a whole when it is compacted, by rename(2), so that a crash leaves
 * one or the other. A line that a crash cut short is dropped. Nothing waits for the disk: it is for what can be found
 * out again (is an address deliverable, is a password refused).
 *
 * Holds: the map, at most `entriesLimit` entries; beyond that the oldest goes. One process owns the file.
 * The format is ours: Postfix keeps such caches in Berkeley DB. See docs/differences.md.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { appendFile, rename, writeFile } from 'node:fs/promises'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'

/** `btree:/var/lib/postfix/verify_cache` is /var/lib/postfix/verify_cache.posthorn; undefined: it names no file. */
export function cachePath(table: string): string | undefined {
  const path = table.replace(/^(?:proxy:)*[a-z0-9_]+:/, '')
  return path === '' ? undefined : `${path}.posthorn`
}

export interface CacheFileOptions {
  /** undefined: in memory only */
  readonly path: string | undefined
  readonly entriesLimit?: number
}

export class CacheFile {
  readonly #path: string | undefined
  readonly #entriesLimit: number
  readonly #entries = new Map<string, string>()
  #pending = ''
  #writing: Promise<void> | undefined

  constructor({ path, entriesLimit = 1_000_000 }: CacheFileOptions) {
    this.#path = path
    this.#entriesLimit = entriesLimit
  }

  /** Reads the file, at start; a file that does not exist is empty. @throws Error of a system call */
  load(): void {
    if (this.#path === undefined) return
    let octets: string
    try {
      // eslint-disable-next-line n/no-sync -- once, before the first client
      octets = readFileSync(this.#path, 'latin1')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
      throw error
    }
    for (const line of octets.split('\n')) {
      const change = parseLine(line)
      if (change === undefined) continue
      const [key, value] = change
      if (value === undefined) this.#entries.delete(key)
      else this.#entries.set(key, value)
    }
  }

  get size(): number {
    return this.#entries.size
  }

  find(key: string): string | undefined {
    return this.#entries.get(key)
  }

  entries(): IterableIterator<[string, string]> {
    return this.#entries.entries()
  }

  set(key: string, value: string): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    this.#note(JSON.stringify([key, value]))
    if (this.#entries.size <= this.#entriesLimit) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.delete(oldest)
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#note(JSON.stringify([key]))
  }

  /** Writes the file anew, without what was removed. A failure is logged; the journal goes on. */
  async compact(): Promise<void> {
    const path = this.#path
    if (path === undefined) return
    while (this.#writing !== undefined) await this.#writing
    this.#pending = ''
    const lines: string[] = []
    for (const entry of this.#entries) lines.push(`${JSON.stringify(entry)}\n`)
    const replace = async (): Promise<void> => {
      await writeFile(`${path}.tmp`, lines.join(''), { encoding: 'latin1', mode: 0o600 })
      await rename(`${path}.tmp`, path)
    }
    await this.#write(replace)
  }

  /** What is not written yet, before the process ends. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    if (this.#path === undefined || this.#pending === '') return
    try {
      // eslint-disable-next-line n/no-sync -- the last act of the process
      appendFileSync(this.#path, this.#pending, { encoding: 'latin1', mode: 0o600 })
      this.#pending = ''
    } catch (error) {
      warn(this.#path, error)
    }
  }

  /** Changes collect while a write is under way. */
  #note(line: string): void {
    if (this.#path === undefined) return
    this.#pending += `${line}\n`
    if (this.#writing === undefined) {
      setImmediate(() => {
        this.#flush()
      })
    }
  }

  #flush(): void {
    const path = this.#path
    if (path === undefined || this.#writing !== undefined || this.#pending === '') return
    const octets = this.#pending
    this.#pending = ''
    this.#write(async () => appendFile(path, octets, { encoding: 'latin1', mode: 0o600 })).catch(
      (error: unknown) => {
        warn(path, error)
      },
    )
  }

  async #write(write: () => Promise<void>): Promise<void> {
    this.#writing = write()
      .catch((error: unknown) => {
        warn(this.#path ?? '', error)
      })
      .finally(() => {
        this.#writing = undefined
        this.#flush()
      })
    return this.#writing
  }
}

function warn(path: string, error: unknown): void {
  log.warning(`cannot write ${path}: ${errorReason(error)}`)
}

function parseLine(line: string): [string, string?] | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  if (!Array.isArray(value)) return undefined
  const [key, content] = value as unknown[]
  if (typeof key !== 'string') return undefined
  return typeof content === 'string' ? [key, content] : [key]
}
