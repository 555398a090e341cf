/**
 * spare-files - the files of messages that are gone, for messages that come
 *
 *   active/ID ──qmgr(8)──▶ emptied, spare/17 ──cleanup(8)──▶ spare/<usec>.<pid> ──▶ incoming/ID
 *
 * The directory is a ring of slots. Who brings and who takes go round it at their own pace and do not know of each other:
 * a full slot is overwritten, an empty one costs a new file. Without the directory, as in a queue that Postfix made, files
 * are removed and created as ever.
 *
 * Safe: a file is emptied after it has left its queue, so with a journal in order no crash shows one message's text
 * under the name of another.
 */
/* eslint-disable n/no-sync -- one look at start; and what is in hand at the exit of a process */
import { existsSync, renameSync } from 'node:fs'
import { prepareFiles, retireFile, type PreparedFile, type SpareRing } from '@posthorn/native/spare'

export const SPARE_DIRECTORY = 'spare'
const COUNT = 1024

export class SpareFiles {
  /** The queue has the directory. */
  readonly isAvailable = existsSync(SPARE_DIRECTORY)
  readonly #ring: SpareRing = { directory: SPARE_DIRECTORY, count: COUNT, next: 0 }
  #slot = 0

  /** Open files with these names. */
  async prepare(paths: readonly string[]): Promise<PreparedFile[]> {
    return prepareFiles(this.#ring, paths)
  }

  /** Removes a message's file. @throws {SystemError} ENOENT: it was gone */
  async retire(path: string): Promise<void> {
    const slot = this.#nextSlot()
    await retireFile(path, this.isAvailable ? `${slot}.${process.pid}` : '', slot)
  }

  /** Gives back a file that is still as it was prepared. */
  putBack(path: string): void {
    try {
      renameSync(path, this.#nextSlot())
    } catch {
      // somebody has removed it
    }
  }

  #nextSlot(): string {
    this.#slot = (this.#slot + 1) % COUNT
    return `${SPARE_DIRECTORY}/${this.#slot}`
  }
}
