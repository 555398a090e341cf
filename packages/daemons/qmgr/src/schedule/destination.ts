/**
 * destination - mail of one transport for one next-hop
 *
 *     ready (window > 0) ──cohort of failures──▶ throttled ──timer, flush, success──▶ ready
 *     ready ──delivery done, rate delay set──▶ suspended ──timer──▶ ready
 *
 * A destination exists as long as it has entries, or is not ready; everything it learned goes with it, but for what
 * recent-traffic.ts keeps for a second.
 * Source: Postfix 3.7 qmgr(8).
 */
import type { Timer } from './clock.ts'
import { ConcurrencyWindow } from './concurrency-window.ts'
import type { Entry, Peer } from './entry.ts'
import type { Problem } from './problem.ts'
import type { Transport } from './transport.ts'

export class Destination {
  readonly transport: Transport
  /** Key within the transport: the next-hop in lower case, with the local part for one-recipient transports. */
  readonly name: string
  readonly nexthop: string
  readonly window: ConcurrencyWindow
  state: 'ready' | 'throttled' | 'suspended' = 'ready'
  problem: Problem | undefined
  timer: Timer | undefined
  readonly peers = new Set<Peer>()
  waitingCount = 0
  busyCount = 0
  lastCompletionSeconds = 0
  loadsConnections = false
  storesConnections = false
  private blockerTag = 0
  private deliverable = 0

  constructor(transport: Transport, name: string, nexthop: string) {
    this.transport = transport
    this.name = name
    this.nexthop = nexthop
    this.window = new ConcurrencyWindow(transport.settings.window)
  }

  get entryCount(): number {
    return this.waitingCount + this.busyCount
  }

  /** Deliveries that could start now if there were entries for them. */
  get room(): number {
    return this.state === 'ready' ? Math.max(0, this.window.size - this.busyCount) : 0
  }

  markBlocked(): void {
    this.blockerTag = this.transport.blockerTag
  }

  /** To be called after every change of window, state or entries: keeps the transport's sums right. */
  changed(): void {
    const deliverable = Math.min(this.room, this.waitingCount)
    this.transport.deliverableCount += deliverable - this.deliverable
    this.deliverable = deliverable
    if (deliverable > 0 && this.blockerTag === this.transport.blockerTag) this.transport.unblock()
  }

  /** Decides about connection caching when an entry was selected. */
  updateConnectionCaching(nowSeconds: number): void {
    const isBackToBack = this.lastCompletionSeconds + 1 >= nowSeconds
    if (!this.storesConnections) {
      if (isBackToBack) {
        this.loadsConnections = true
        this.storesConnections = true
      }
    } else if (!isBackToBack && this.busyCount <= 1) {
      this.storesConnections = false
    }
  }

  /** Takes all entries that wait, out of their jobs too. */
  takeWaiting(): Entry[] {
    const taken: Entry[] = []
    for (const peer of this.peers) {
      while (peer.waiting.length > 0) taken.push(peer.job.takeFrom(peer))
    }
    this.changed()
    return taken
  }
}
