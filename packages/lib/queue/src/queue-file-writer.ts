/**
 * queue-file-writer - a new message file, from its name to the fsync that makes it ours
 *
 *   incoming/<usec>.<pid>, mode 0600  --finish()-->  incoming/ID, mode 0700, fsync'ed
 *
 * Records are collected in memory and written by one job in the thread pool (write, rename, fchmod, fsync,
 * close). A large message goes to the file while it arrives. Until finish() resolves the file is
 * nobody's: whatever fails, remove() it and tell the sender to try again.
 *
 * Holds:  a descriptor, and at most 256 KB beyond what is being written if its user awaits drain().
 * Source: Postfix 3.7 cleanup(8), postdrop(1).
 */
/* eslint-disable n/no-sync -- directories are made once, and close is 1 us (docs/performance.md 7) */
import { closeSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { PreparedFile } from '@posthorn/native/spare'
import { storeFile } from '@posthorn/native/store'
import { SystemError } from '@posthorn/native/system-error'
import { createFile, type FileSupply } from './file-supply.ts'
import { formatQueueId, type QueueId, type QueueTime } from './queue-id.ts'
import type { MessageQueue, QueueLayout } from './queue-layout.ts'
import { MODE_INCOMPLETE } from './queue-mode.ts'
import { removeFile, renameInto } from './queue-move.ts'
import { queueTimeNow } from './time-record.ts'

const SPILL_OCTETS = 256 * 1024

export interface CreateQueueFileOptions {
  /** Permission bits while the file is written; default 0600. */
  readonly mode?: number
  /** Where a busy process takes its files for `incoming` from. */
  readonly supply?: FileSupply
}

export class QueueFileWriter {
  readonly id: QueueId
  /** The time in the queue id. */
  readonly created: QueueTime
  readonly fd: number
  readonly #layout: QueueLayout
  #queue: MessageQueue
  #path: string
  #isOpen = true
  /** Octets in the file. */
  #stored = 0
  /** Octets that follow those in the file. */
  #tail = ''
  /** Octets to be written over those in the file. */
  #patches: { position: number; octets: string }[] = []

  private constructor(layout: QueueLayout, queue: MessageQueue, file: PreparedFile) {
    this.#layout = layout
    this.#queue = queue
    this.#path = file.path
    this.fd = file.fd
    this.created = queueTimeNow()
    this.id = formatQueueId(this.created, file.inode, layout.longIds)
  }

  /** @throws Error of a system call: no file was left behind */
  static create(
    layout: QueueLayout,
    queue: 'incoming' | 'maildrop',
    { mode = MODE_INCOMPLETE, supply }: CreateQueueFileOptions = {},
  ): QueueFileWriter {
    return new QueueFileWriter(layout, queue, supply?.take() ?? createFile(queue, mode))
  }

  get queue(): MessageQueue {
    return this.#queue
  }

  /** Where the file lies at this moment. */
  get path(): string {
    return this.#path
  }

  /** File offset of what is appended next. */
  get position(): number {
    return this.#stored + this.#tail.length
  }

  /** Adds encoded records (record.ts) at the end. Large content: await drain() now and then. */
  append(octets: string): void {
    this.#tail += octets
  }

  /** Replaces octets that were appended before, one for one. */
  overwrite(position: number, octets: string): void {
    const at = position - this.#stored
    if (position + octets.length > this.position || (at < 0 && at + octets.length > 0)) {
      throw new RangeError(`Cannot overwrite ${octets.length} octets at ${position}`)
    }
    if (at < 0) {
      this.#patches.push({ position, octets })
    } else {
      this.#tail = this.#tail.slice(0, at) + octets + this.#tail.slice(at + octets.length)
    }
  }

  /** Resolves at once unless much is waiting to be written. */
  async drain(): Promise<void> {
    if (this.#tail.length >= SPILL_OCTETS) await this.flush()
  }

  /** All octets are in the file, where a RecordFile can read them. */
  async flush(): Promise<void> {
    const parts = this.#takeParts()
    if (parts.length === 0) return
    await storeFile({ fd: this.fd, parts, fsync: false, close: false })
  }

  /** Gives the file the name that others know it by, while it is still incomplete. @throws Error of a system call */
  enter(): void {
    const path = this.#layout.path(this.#queue, this.id)
    renameInto(this.#path, path)
    this.#path = path
  }

  /** Before enter() and finish(): a message that goes on hold must never be seen in incoming. */
  moveTo(queue: MessageQueue): void {
    this.#queue = queue
  }

  /**
   * Writes what remains, gives the file its name and the permission bits that make it complete, and waits for the
   * disk. Only after this may anybody be told that we have the message. Closes the file.
   * @throws Error of a system call: the file is removed
   */
  async finish(mode: number): Promise<void> {
    const parts = this.#takeParts()
    const rename = { from: this.#path, to: this.#layout.path(this.#queue, this.id) }
    try {
      makeDirectory(rename.to)
      this.#isOpen = false
      await storeFile({ fd: this.fd, parts, rename, mode, fsync: true, close: true })
      this.#path = rename.to
    } catch (error) {
      directoriesMade.clear()
      const hasName = error instanceof SystemError && /^(fchmod|fsync|close)$/.test(error.syscall)
      if (hasName) this.#path = rename.to
      this.remove()
      throw error
    }
  }

  /** The message is not wanted, or could not be written. */
  remove(): void {
    if (this.#isOpen) closeSync(this.fd)
    this.#isOpen = false
    this.#tail = ''
    removeFile(this.#path)
  }

  #takeParts(): { position: number; octets: string }[] {
    const parts = this.#patches
    if (this.#tail !== '') parts.push({ position: this.#stored, octets: this.#tail })
    this.#stored += this.#tail.length
    this.#tail = ''
    this.#patches = []
    return parts
  }
}

const directoriesMade = new Set<string>()

/** Hash directories are made when they are first needed. */
function makeDirectory(path: string): void {
  const directory = dirname(path)
  if (directoriesMade.has(directory)) return
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  directoriesMade.add(directory)
}
