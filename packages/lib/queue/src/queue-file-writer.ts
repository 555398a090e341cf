/**
 * queue-file-writer - a new message file, from its name to the fsync that makes it ours
 *
 *   incoming/<usec>.<pid>  --inode known-->  incoming/ID, mode 0600  --finish()-->  mode 0700, fsync'ed
 *
 * Records are collected in memory and written by one job in the thread pool (write, fchmod, fsync,
 * close). A large message goes to the file while it arrives. Until finish() resolves the file is
 * nobody's: whatever fails, remove() it and tell the sender to try again.
 *
 * Holds:  a descriptor, and at most 256 KB beyond what is being written if its user awaits drain().
 * Source: Postfix 3.7 cleanup(8), postdrop(1).
 */
/* eslint-disable n/no-sync -- create, fstat and rename on cached metadata: 25 us (docs/performance.md 7) */
import { storeFile } from '@posthorn/native/store'
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, utimesSync } from 'node:fs'
import { dirname } from 'node:path'
import { formatQueueId, type QueueId, type QueueTime } from './queue-id.ts'
import type { MessageQueue, QueueLayout } from './queue-layout.ts'
import { MODE_INCOMPLETE } from './queue-mode.ts'
import { hasCode, removeFile, renameInto } from './queue-move.ts'
import { queueTimeNow } from './time-record.ts'

const SPILL_OCTETS = 256 * 1024
const ATTEMPTS_LIMIT = 1000

export interface CreateQueueFileOptions {
  /** Permission bits while the file is written; default 0600. */
  readonly mode?: number
}

export class QueueFileWriter {
  readonly id: QueueId
  /** The time in the queue id. */
  readonly created: QueueTime
  readonly fd: number
  readonly #layout: QueueLayout
  readonly #clockIsAhead: boolean
  #queue: MessageQueue
  #isOpen = true
  /** Octets in the file. */
  #stored = 0
  /** Octets that follow those in the file. */
  #tail = ''
  /** Octets to be written over those in the file. */
  #patches: { position: number; octets: string }[] = []

  private constructor(
    layout: QueueLayout,
    queue: MessageQueue,
    file: { fd: number; id: QueueId; created: QueueTime; clockIsAhead: boolean },
  ) {
    this.#layout = layout
    this.#queue = queue
    this.fd = file.fd
    this.id = file.id
    this.created = file.created
    this.#clockIsAhead = file.clockIsAhead
  }

  /** @throws Error of a system call: no file was left behind */
  static create(
    layout: QueueLayout,
    queue: 'incoming' | 'maildrop',
    options: CreateQueueFileOptions = {},
  ): QueueFileWriter {
    const { fd, path } = createTemporary(queue, options.mode ?? MODE_INCOMPLETE)
    try {
      const stat = fstatSync(fd)
      const { id, created } = nameForInode(layout, queue, path, stat.ino)
      // A file server's clock may be ahead of ours, and qmgr(8) leaves files of the future alone.
      const clockIsAhead = stat.mtimeMs > (created.seconds + 1) * 1000
      return new QueueFileWriter(layout, queue, { fd, id, created, clockIsAhead })
    } catch (error) {
      closeSync(fd)
      removeFile(path)
      throw error
    }
  }

  get queue(): MessageQueue {
    return this.#queue
  }

  get path(): string {
    return this.#layout.path(this.#queue, this.id)
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

  /** Before finish(): a message that goes on hold must never be seen in incoming. */
  moveTo(queue: MessageQueue): void {
    renameInto(this.path, this.#layout.path(queue, this.id))
    this.#queue = queue
  }

  /**
   * Writes what remains, sets the permission bits that make the file complete, and waits for the
   * disk. Only after this may anybody be told that we have the message. Closes the file.
   * @throws Error of a system call: the file is removed
   */
  async finish(mode: number): Promise<void> {
    const parts = this.#takeParts()
    this.#isOpen = false
    try {
      await storeFile({ fd: this.fd, parts, mode, fsync: true, close: true })
      if (this.#clockIsAhead) utimesSync(this.path, this.created.seconds, this.created.seconds)
    } catch (error) {
      removeFile(this.path)
      throw error
    }
  }

  /** The message is not wanted, or could not be written. */
  remove(): void {
    if (this.#isOpen) closeSync(this.fd)
    this.#isOpen = false
    this.#tail = ''
    removeFile(this.path)
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

function createTemporary(queue: MessageQueue, mode: number): { fd: number; path: string } {
  for (;;) {
    const path = `${queue}/${queueTimeNow().microseconds}.${process.pid}`
    try {
      return { fd: openSync(path, 'wx+', mode), path }
    } catch (error) {
      if (hasCode(error, 'EEXIST')) continue
      throw error
    }
  }
}

function nameForInode(
  layout: QueueLayout,
  queue: MessageQueue,
  temporary: string,
  inode: number,
): { id: QueueId; created: QueueTime } {
  for (let attempt = 1; ; attempt += 1) {
    const created = queueTimeNow()
    const id = formatQueueId(created, inode, layout.longIds)
    const path = layout.path(queue, id)
    try {
      renameSync(temporary, path)
      return { id, created }
    } catch (error) {
      if (attempt >= ATTEMPTS_LIMIT) throw error
      if (hasCode(error, 'ENOENT')) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      else if (!hasCode(error, 'EPERM') && !hasCode(error, 'EISDIR')) throw error
    }
  }
}
