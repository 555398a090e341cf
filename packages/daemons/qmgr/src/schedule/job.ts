/**
 * job - what one message wants from one transport
 *
 * Jobs of a transport stand in one list, the oldest message first. A job with few recipients may preempt one
 * with many: it then stands directly in front of that job and points to it as its parent, one level up. The
 * slots it may use were earned by the parent, one for every slotCost deliveries (preemption.ts).
 *
 *     ◀── head        L2 ─▶ L1 ─▶ J       K        N  ──▶ tail (youngest)
 *                     level 2  1    0       0        0
 */
import type { Destination } from './destination.ts'
import type { Entry, Peer } from './entry.ts'
import type { Recipient } from '@posthorn/wire/attr-groups'
import type { ActiveMessage } from './message.ts'
import type { Transport } from './transport.ts'

export class Job {
  readonly message: ActiveMessage
  readonly transport: Transport
  /** Round-robin order: the peer that was selected from last is last. Peers without entries are absent. */
  readonly peers = new Map<Destination, Peer>()
  /** Entries created, and entries handed out or dropped. */
  createdCount = 0
  selectedCount = 0
  recipientCount = 0
  recipientLimit = 0
  /** Delivery slots earned and not reserved, and those used of a reservation. */
  slotsAvailable = 0
  slotsUsed = 0
  level = 0
  parent: Job | undefined
  readonly children = new Set<Job>()
  /** Equals the transport's tag while no destination of this job has room. */
  blockerTag = 0
  /** Place in the transport's list; a retired job has none. */
  isListed = false
  previous: Job | undefined
  next: Job | undefined

  constructor(message: ActiveMessage, transport: Transport) {
    this.message = message
    this.transport = transport
  }

  get waitingCount(): number {
    return this.createdCount - this.selectedCount
  }

  /** Most entries this job can come to: each unread recipient may need its own. */
  get entryBound(): number {
    return this.createdCount + this.message.unreadCount
  }

  get isBlocked(): boolean {
    return this.blockerTag === this.transport.blockerTag
  }

  get isExhausted(): boolean {
    return this.waitingCount === 0 && this.message.unreadCount === 0
  }

  /**
   * Adds a recipient to the last waiting entry of its destination, or to a new one.
   *
   * @returns the entry when it is new
   */
  addRecipient(destination: Destination, recipient: Recipient): Entry | undefined {
    const peer = this.peerFor(destination)
    const last = peer.waiting.at(-1)
    const limit = this.transport.settings.recipientsPerRequest
    this.recipientCount += 1
    this.message.recipientCount += 1
    if (
      last !== undefined &&
      this.message.facts.verpDelimiters === '' &&
      (limit === 0 || last.recipients.length < limit)
    ) {
      last.recipients.push(recipient)
      return undefined
    }
    const entry: Entry = { message: this.message, job: this, destination, recipients: [recipient] }
    peer.waiting.push(entry)
    this.createdCount += 1
    this.message.entryCount += 1
    destination.waitingCount += 1
    return entry
  }

  /** Takes the first entry of the peer; the peer goes to the end of the round, or away when it is empty. */
  takeFrom(peer: Peer): Entry {
    const entry = peer.waiting.shift()
    if (entry === undefined) throw new RangeError('Cannot select from a peer without entries')
    this.peers.delete(peer.destination)
    if (peer.waiting.length > 0) this.peers.set(peer.destination, peer)
    else peer.destination.peers.delete(peer)
    this.selectedCount += 1
    peer.destination.waitingCount -= 1
    return entry
  }

  /** The first peer in turn whose destination has room. */
  findPeerWithRoom(): Peer | undefined {
    for (const peer of this.peers.values()) {
      if (peer.destination.room > 0) return peer
    }
    return undefined
  }

  private peerFor(destination: Destination): Peer {
    const known = this.peers.get(destination)
    if (known !== undefined) return known
    const peer: Peer = { job: this, destination, waiting: [] }
    this.peers.set(destination, peer)
    destination.peers.add(peer)
    return peer
  }
}
