/**
 * process-table - the processes of one service: who is free, whether another may be started, for how many clients
 *
 * Two kinds of program are counted differently. One that is not ours serves one client per process: up to `maxproc`
 * processes, TAKEN while they serve. One of ours tells state 2 first and then serves its share of `maxproc` clients:
 * up to `workers` processes, TAKEN while they are full. One that tells that it is leaving (or was told to, by a reload)
 * only finishes its clients; it takes no worker's place, or slow clients of old workers could stop the service.
 *
 *   started --> available <--> taken --> exited        any: leaving --> exited
 *
 * A process is available from the fork on. The next one is started only when none is available, so there is at most one
 * idle spare. Pure: no processes, no timers. Source: Postfix 3.7 master(8); docs/architecture.md 3.
 */
import { PROCESS_STATE, type StatusMessage } from '@posthorn/wire/status-message'

/** What a child of ours says when it accepts no more and only finishes its clients; not in Postfix. */
export const LEAVING = 3

/** The clients that one process may serve when maxproc sets no limit. */
const UNLIMITED_SHARE = 1000

export interface Child {
  readonly pid: number
  readonly generation: number
  /** The clients that it may serve at once, if it is one of ours. */
  readonly share: number
  isAvailable: boolean
  isSharing: boolean
  isLeaving: boolean
  /** Completed TAKEN-to-AVAIL cycles. */
  useCount: number
}

export type StatusResult = 'ok' | 'unknownProcess' | 'otherGeneration' | 'unknownState'

export class ProcessTable {
  readonly #children = new Map<number, Child>()
  #processLimit: number
  readonly #workers: number
  #availableCount = 0
  #isShared = false

  /** `processLimit` is maxproc, 0 = none; `workers` the most processes of a program that shares. */
  constructor(processLimit: number, workers: number) {
    this.#processLimit = processLimit
    this.#workers = workers
  }

  get size(): number {
    return this.#children.size
  }

  get pids(): readonly number[] {
    return [...this.#children.keys()]
  }

  get isShared(): boolean {
    return this.#isShared
  }

  find(pid: number): Child | undefined {
    return this.#children.get(pid)
  }

  /** Nobody is there to take a client. */
  get isExhausted(): boolean {
    return this.#availableCount === 0
  }

  /** Another process may be started. */
  get hasRoom(): boolean {
    if (this.#processLimit > 0 && this.#children.size >= this.#processLimit) return false
    return !this.#isShared || (this.#workerCount() < this.#workers && this.#unshared() > 0)
  }

  /** A process started now would be the last that the limit allows, each serving one client. */
  get isLastSlot(): boolean {
    return !this.#isShared && this.#children.size === this.#processLimit - 1
  }

  /** The clients that the next process may serve at once. */
  nextShare(): number {
    if (this.#processLimit === 0) return UNLIMITED_SHARE
    const even = Math.ceil(this.#processLimit / this.#workers)
    return Math.max(1, Math.min(even, this.#unshared()))
  }

  #unshared(): number {
    if (this.#processLimit === 0) return UNLIMITED_SHARE
    let left = this.#processLimit
    for (const child of this.#children.values()) {
      if (child.isSharing && !child.isLeaving) left -= child.share
    }
    return left
  }

  #workerCount(): number {
    let count = 0
    for (const child of this.#children.values()) if (!child.isLeaving) count++
    return count
  }

  started(pid: number, generation: number, share: number): void {
    this.#children.set(pid, {
      pid,
      generation,
      share,
      isAvailable: true,
      isSharing: false,
      isLeaving: false,
      useCount: 0,
    })
    this.#availableCount++
  }

  /** Takes note of a status message. A repetition of the current state is ok, and nothing. */
  noteStatus(message: StatusMessage): StatusResult {
    const child = this.#children.get(message.pid)
    if (child === undefined) return 'unknownProcess'
    if (child.generation !== message.generation) return 'otherGeneration'
    switch (message.state) {
      case PROCESS_STATE.taken:
        this.#setAvailable(child, false)
        return 'ok'
      case PROCESS_STATE.available:
        if (!child.isAvailable && !child.isLeaving) {
          child.useCount++
          this.#setAvailable(child, true)
        }
        return 'ok'
      case PROCESS_STATE.shares:
        child.isSharing = true
        this.#isShared = true
        return 'ok'
      case LEAVING:
        this.#setLeaving(child)
        return 'ok'
      default:
        return 'unknownState'
    }
  }

  #setAvailable(child: Child, isAvailable: boolean): void {
    if (child.isAvailable === isAvailable) return
    child.isAvailable = isAvailable
    this.#availableCount += isAvailable ? 1 : -1
  }

  #setLeaving(child: Child): void {
    child.isLeaving = child.isSharing
    if (child.isLeaving) this.#setAvailable(child, false)
  }

  /** The process has ended. True: it never served anybody and ended badly, so the next would too. */
  exited(pid: number, isAbnormal: boolean): boolean {
    const child = this.#children.get(pid)
    if (child === undefined) return false
    this.#setAvailable(child, false)
    this.#children.delete(pid)
    return isAbnormal && child.useCount === 0
  }

  /**
   * The status channel was closed: all processes leave when they are idle. Those that share are counted no more; the
   * others keep counting, and idle ones as available, until they are gone.
   */
  retire(): void {
    for (const child of this.#children.values()) this.#setLeaving(child)
  }

  /** A new limit; what is known about the program lasts while it is the same. */
  reconfigure(processLimit: number, isSameProgram: boolean): void {
    this.#processLimit = processLimit
    if (!isSameProgram) this.#isShared = false
  }
}
