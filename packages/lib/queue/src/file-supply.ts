/**
 * file-supply - open queue files without a name, ready for the next messages of a busy process
 *
 * A process that creates files on its only thread waits there for the disk (spare.ts). This one has some in hand, made by
 * the thread pool while other messages come in: as many as it has needed at once so far.
 *
 * Holds: at most 16 descriptors and files `spare/<usec>.<pid>`, which it gives back when the process exits. None without
 * the directory for spare files.
 */
/* eslint-disable n/no-sync -- for the first messages of a process there is none ready */
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { PreparedFile } from '@posthorn/native/spare'
import { hasCode, removeFile } from './queue-move.ts'
import { MODE_INCOMPLETE } from './queue-mode.ts'
import { SPARE_DIRECTORY, SpareFiles } from './spare-files.ts'
import { queueTimeNow } from './time-record.ts'

const IN_HAND_LIMIT = 16

export class FileSupply {
  readonly #spares = new SpareFiles()
  readonly #inHand: PreparedFile[] = []
  #target = 1
  #isPreparing = false

  constructor() {
    process.once('exit', () => {
      for (const file of this.#inHand) this.#spares.putBack(file.path)
    })
  }

  /** Its owner closes it, and renames or removes it. @throws Error of a system call */
  take(): PreparedFile {
    const file = this.#inHand.shift()
    if (file === undefined) this.#target = Math.min(2 * this.#target, IN_HAND_LIMIT)
    if (this.#inHand.length <= this.#target / 2) this.#prepare()
    return file ?? createFile('incoming', MODE_INCOMPLETE)
  }

  #prepare(): void {
    if (this.#isPreparing || !this.#spares.isAvailable) return
    this.#isPreparing = true
    const count = this.#target - this.#inHand.length
    this.#spares
      .prepare(Array.from({ length: count }, () => temporaryPath(SPARE_DIRECTORY)))
      .then((files) => {
        this.#inHand.push(...files)
      })
      .catch(() => undefined) // then take() creates the file, and tells what is wrong
      .finally(() => {
        this.#isPreparing = false
      })
  }
}

/** @throws Error of a system call: no file was left behind */
export function createFile(queue: 'incoming' | 'maildrop', mode: number): PreparedFile {
  for (;;) {
    const path = temporaryPath(queue)
    try {
      return statOpen(openSync(path, 'wx+', mode), path)
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    }
  }
}

function statOpen(fd: number, path: string): PreparedFile {
  try {
    return { path, fd, inode: fstatSync(fd).ino }
  } catch (error) {
    closeSync(fd)
    removeFile(path)
    throw error
  }
}

let lastName = 0

/** No two of a process are alike. */
function temporaryPath(queue: string): string {
  const { seconds, microseconds } = queueTimeNow()
  lastName = Math.max(lastName + 1, seconds * 1_000_000 + microseconds)
  return `${queue}/${lastName}.${process.pid}`
}
