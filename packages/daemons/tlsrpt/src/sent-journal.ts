/**
 * sent-journal - which reports of a period are done: one line for each, `["domain","URI"]`
 *
 * A line is on the disk before anything that depends on it happens. A line that a crash cut short does not count: that report
 * is sent once more, with the same report id.
 */
import { appendFile, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '@posthorn/native/system-error'
import { syncDirectory } from './results-file.ts'

export class SentJournal {
  readonly path: string
  readonly #done = new Set<string>()
  #isNew = true

  constructor(path: string) {
    this.path = path
  }

  /** A file that is not there is empty. @throws Error of a system call */
  static async load(path: string): Promise<SentJournal> {
    const journal = new SentJournal(path)
    try {
      const text = await readFile(path, 'latin1')
      for (const line of text.split('\n').slice(0, -1)) journal.#done.add(line)
      journal.#isNew = false
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
    return journal
  }

  has(domain: string, uri: string): boolean {
    return this.#done.has(JSON.stringify([domain, uri]))
  }

  /** Resolves when it is on the disk. @throws Error of a system call */
  async add(domain: string, uri: string): Promise<void> {
    const line = JSON.stringify([domain, uri])
    this.#done.add(line)
    // after a torn line the rest of the file would be lost with it: a line begins with its own end of line
    const octets = this.#isNew ? `${line}\n` : `\n${line}\n`
    await appendFile(this.path, octets, { encoding: 'latin1', mode: 0o600, flush: true })
    if (this.#isNew) await syncDirectory(dirname(this.path))
    this.#isNew = false
  }
}
