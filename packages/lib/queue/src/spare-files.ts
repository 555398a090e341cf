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
import { retireFile } from '@posthorn/native/spare'

export const SPARE_DIRECTORY = 'spare'
const SLOTS = 128

export class SpareFiles {
  /** The queue has the directory. */
  readonly isAvailable = existsSync(SPARE_DIRECTORY)
  #slot = process.pid % SLOTS

  /** Where a spare file may lie, or may be laid. */
  nextSlot(): string {
    this.#slot = (this.#slot + 1) % SLOTS
    return `${SPARE_DIRECTORY}/${this.#slot}`
  }

  /** Removes a message's file. @throws {SystemError} ENOENT: it was gone */
  async retire(path: string): Promise<void> {
    const slot = this.nextSlot()
    await retireFile(path, this.isAvailable ? `${slot}.${process.pid}` : '', slot)
  }

  /** Gives back a file that is still as it was prepared. */
  putBack(path: string): void {
    try {
      renameSync(path, this.nextSlot())
    } catch {
      // somebody has removed it
    }
  }
}
