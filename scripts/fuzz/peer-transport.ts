/**
 * peer-transport - the client's end of a connection to a RudePeer, in memory and without time
 *
 * Input comes in pieces cut anywhere, output is taken in pieces. When the client waits for what will never come, its time is
 * over at once: the wait ends as if the time limit had passed.
 * Limits: so many operations, then the client is taken to go in circles.
 */
import { READABLE, WRITABLE } from '@posthorn/native/descriptor'
import { SystemError } from '@posthorn/native/system-error'
import { StreamTimeoutError } from '@posthorn/stream/byte-stream'
import type { Transport } from '@posthorn/stream/transport'
import { constants } from 'node:os'
import type { Random } from './random.ts'
import type { RudePeer } from './rude-peer.ts'

const OPERATIONS_LIMIT = 20_000
/** As Descriptor. */
const READ_OCTETS = 65_536
/** After so many a slow peer becomes a fast one; more would only take long. */
const SLOW_OPERATIONS = 500
/** Octets that come singly; more would only take long. */
const SINGLE_OCTETS = 300
const { ECONNRESET, EPIPE } = constants.errno

/** The client does not come to an end. */
export class CirclesError extends Error {
  readonly code = 'FUZZ_CIRCLES'
}

type Cuts = 'whole' | 'singly' | 'anywhere' | 'lines'

export class PeerTransport implements Transport {
  maybeReadable = true
  maybeWritable = true
  isWatched = false
  isClosed = false
  readonly #peer: RudePeer
  readonly #random: Random
  readonly #cuts: Cuts
  /** What is taken at a time. */
  #windowOctets: number
  /** A peer that has ended its side still reads. */
  readonly #isHalfOpen: boolean
  #operations = 0
  #singles = 0
  /** The last read gave nothing, and somebody waits. */
  #isAwaited = false
  #isTimeOver = false
  #isWriteTimeOver = false
  #hasWritten = false
  #wake: ((ready: number) => void) | undefined

  constructor(peer: RudePeer, random: Random) {
    this.#peer = peer
    this.#random = random
    this.#cuts = random.pick<Cuts>(['whole', 'whole', 'singly', 'anywhere', 'anywhere', 'lines'])
    this.#isHalfOpen = random.chance(0.5)
    this.#windowOctets = random.chance(0.15) ? 1 + random.below(3000) : Infinity
  }

  get hasHungUp(): boolean {
    return this.#peer.state === 'end' || this.#peer.state === 'reset'
  }

  bytesReadable(): number {
    return this.#peer.pending.length
  }

  readText(limit = READ_OCTETS): string | undefined {
    this.#count()
    const { pending, state } = this.#peer
    if (pending === '') {
      if (state === 'end') return ''
      if (state === 'reset') throw new SystemError('read', ECONNRESET)
      if (this.#isTimeOver) throw new StreamTimeoutError('Cannot wait longer for input')
      this.#isAwaited = true
      return undefined
    }
    this.#isAwaited = false
    const piece = pending.slice(0, Math.min(limit, this.#pieceOctets(pending)))
    this.#peer.pending = pending.slice(piece.length)
    return piece
  }

  write(octets: string | Buffer): number {
    this.#count()
    const { state } = this.#peer
    if (this.isClosed || state === 'reset' || (state === 'end' && !this.#isHalfOpen)) {
      throw new SystemError('write', EPIPE)
    }
    if (state === 'deaf') {
      if (this.#isWriteTimeOver) throw new StreamTimeoutError('Cannot wait longer for output')
      this.maybeWritable = false
      return 0
    }
    if (this.#operations > SLOW_OPERATIONS) this.#windowOctets = Infinity
    if (this.#windowOctets !== Infinity && this.#hasWritten) {
      this.#hasWritten = false
      this.maybeWritable = false
      return 0
    }
    const text = octets.toString('latin1').slice(0, this.#windowOctets)
    this.#hasWritten = true
    this.#peer.receive(text)
    return text.length
  }

  watch(wake: (ready: number) => void): void {
    this.#wake = wake
    this.isWatched = true
    queueMicrotask(() => {
      this.#look()
    })
  }

  unwatch(): void {
    this.isWatched = false
    this.#wake = undefined
  }

  close(): void {
    this.isClosed = true
    this.unwatch()
  }

  /** What an event loop would say now. */
  #look(): void {
    this.#count()
    const wake = this.#wake
    if (wake === undefined || this.isClosed) return
    if (!this.maybeWritable) {
      if (this.#peer.state === 'deaf') this.#isWriteTimeOver = true
      this.maybeWritable = true
      wake(WRITABLE)
    }
    const hasInput = this.#peer.pending !== '' || this.hasHungUp
    if (!hasInput && !this.#isAwaited) return
    if (!hasInput) this.#isTimeOver = true
    wake(READABLE)
  }

  #pieceOctets(pending: string): number {
    switch (this.#cuts) {
      case 'whole':
        return pending.length
      case 'singly':
        return this.#singles++ < SINGLE_OCTETS ? 1 : pending.length
      case 'anywhere':
        return pending.length > READ_OCTETS ? READ_OCTETS : 1 + this.#random.below(pending.length)
      case 'lines':
        return pending.indexOf(this.#random.pick(['\r', '\n'])) + 1 || pending.length
    }
  }

  #count(): void {
    this.#operations += 1
    if (this.#operations > OPERATIONS_LIMIT) throw new CirclesError('The client goes in circles')
  }
}
