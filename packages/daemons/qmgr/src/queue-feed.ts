/**
 * queue-feed - takes turns between new and deferred mail
 *
 * Scans of the incoming and the deferred queue run at the same time, and each gives one file in turn, so that
 * neither a flood of new mail nor a mountain of old mail keeps the other from being delivered.
 *
 * Source: Postfix 3.7 qmgr(8).
 */
import { DirectoryScan, type QueueEntry } from './directory-scan.ts'

export type FeedQueue = 'incoming' | 'deferred'

/** What a flush asks for a scan, beyond looking at the files. */
export interface ScanFlags {
  /** Time stamps in the future do not matter. */
  readonly ignoresTimes: boolean
  /** Deliver by the transports of defer_transports too. */
  readonly ignoresDeferTransports: boolean
}

const noFlags: ScanFlags = { ignoresTimes: false, ignoresDeferTransports: false }

class QueueScan {
  readonly queue: FeedQueue
  flags = noFlags
  private scan: DirectoryScan | undefined
  private isRequested = false
  private nextFlags = noFlags

  constructor(queue: FeedQueue) {
    this.queue = queue
  }

  isActive(): boolean {
    return this.scan !== undefined || this.isRequested
  }

  request(flags: ScanFlags, isStart: boolean): void {
    if (this.scan !== undefined) this.flags = merge(this.flags, flags)
    if (this.scan === undefined || isStart) this.nextFlags = merge(this.nextFlags, flags)
    if (isStart) this.isRequested = true
  }

  next(): QueueEntry | undefined {
    if (this.scan === undefined) {
      if (!this.isRequested) return undefined
      this.isRequested = false
      this.flags = this.nextFlags
      this.nextFlags = noFlags
      this.scan = new DirectoryScan(this.queue)
    }
    const entry = this.scan.next()
    if (entry === undefined) this.scan = undefined
    return entry
  }
}

export class QueueFeed {
  private readonly incoming = new QueueScan('incoming')
  private readonly deferred = new QueueScan('deferred')
  private preferred = this.incoming

  isActive(): boolean {
    return this.incoming.isActive() || this.deferred.isActive()
  }

  isScanningIncoming(): boolean {
    return this.incoming.isActive()
  }

  /** Flags without queues are for the scans in progress, or the next ones. */
  request(queues: readonly FeedQueue[], flags: ScanFlags = noFlags): void {
    for (const scan of [this.incoming, this.deferred]) {
      scan.request(flags, queues.includes(scan.queue))
    }
  }

  /** There was no room in the active queue: new mail goes first when there is. */
  preferIncoming(): void {
    this.preferred = this.incoming
  }

  /**
   * Looks at one file of the preferred queue, and if that did not come in, at one of the other.
   *
   * @param importFile true when the message is now in the active queue
   * @returns the queue that the message came from; undefined when none came in
   */
  step(
    importFile: (queue: FeedQueue, entry: QueueEntry, flags: ScanFlags) => boolean,
  ): FeedQueue | undefined {
    const other = this.preferred === this.incoming ? this.deferred : this.incoming
    for (const scan of [this.preferred, other]) {
      const entry = scan.next()
      if (entry === undefined || !importFile(scan.queue, entry, scan.flags)) continue
      this.preferred = scan === this.incoming ? this.deferred : this.incoming
      return scan.queue
    }
    return undefined
  }
}

function merge(a: ScanFlags, b: ScanFlags): ScanFlags {
  return {
    ignoresTimes: a.ignoresTimes || b.ignoresTimes,
    ignoresDeferTransports: a.ignoresDeferTransports || b.ignoresDeferTransports,
  }
}
