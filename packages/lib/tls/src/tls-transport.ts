/**
 * tls-transport - TLS under a ByteStream
 *
 * The socket of node:tls stays paused: octets wait in it, at most its high-water mark (64 KB), until the stream pulls them. A
 * TLS 1.3 ticket is no input. A connection that fails is one that the peer reset, whatever the reason was.
 * After close() what was written, and close_notify, still reach a slow peer: see orderly-close.ts.
 */
import { constants } from 'node:os'
import type { Duplex } from 'node:stream'
import { HANGUP, READABLE, WRITABLE } from '@posthorn/native/descriptor'
import { SystemError } from '@posthorn/native/system-error'
import type { Transport } from '@posthorn/stream/transport'
import { logLibraryProblems } from './library-problem.ts'
import { closeOrderly } from './orderly-close.ts'

/** Taken by one write(): what node:tls has not sent yet is at most about twice this. */
const MAX_WRITE_OCTETS = 65_536

export class TlsTransport implements Transport {
  readonly #socket: Duplex
  readonly #awaitsPeer: boolean
  #wake: ((ready: number) => void) | undefined
  #maybeReadable = true
  #maybeWritable = true
  #hasEnded = false
  #error: SystemError | undefined
  #isClosed = false

  /** A TLSSocket after its handshake. Takes ownership. `awaitsPeer`: close() waits for its close_notify. */
  constructor(socket: Duplex, awaitsPeer = false) {
    this.#socket = socket
    this.#awaitsPeer = awaitsPeer
    socket.on('readable', () => {
      // nothing to read: it is the end
      if (socket.readableLength === 0) this.#hasEnded = true
      this.#announce(READABLE)
    })
    socket.on('end', () => {
      this.#noteEnd()
    })
    socket.on('close', () => {
      this.#noteEnd()
    })
    socket.on('error', (error) => {
      this.#noteError(error)
    })
    socket.on('drain', () => {
      this.#announce(WRITABLE)
    })
    // already, before anybody listened
    if (socket.errored !== null) this.#noteError(socket.errored)
    else if (socket.destroyed) this.#hasEnded = true
  }

  get maybeReadable(): boolean {
    return this.#maybeReadable
  }

  get maybeWritable(): boolean {
    return this.#maybeWritable
  }

  get hasHungUp(): boolean {
    return this.#hasEnded || this.#error !== undefined
  }

  get isWatched(): boolean {
    return this.#wake !== undefined
  }

  bytesReadable(): number {
    return this.#socket.readableLength
  }

  readText(limit = Infinity): string | undefined {
    const waiting = this.#socket.readableLength
    const octets: unknown = this.#socket.read(waiting > limit ? limit : undefined)
    if (Buffer.isBuffer(octets)) return octets.toString('latin1')
    if (this.#error !== undefined) throw this.#error
    if (this.#hasEnded) return ''
    this.#maybeReadable = false
    return undefined
  }

  write(octets: string | Buffer): number {
    if (this.#error !== undefined) throw this.#error
    if (!this.#socket.writable) throw new SystemError('write', constants.errno.EPIPE)
    const count = Math.min(octets.length, MAX_WRITE_OCTETS)
    const part = count === octets.length ? octets : octets.slice(0, count)
    this.#maybeWritable =
      typeof part === 'string' ? this.#socket.write(part, 'latin1') : this.#socket.write(part)
    return count
  }

  watch(wake: (ready: number) => void): void {
    this.#wake = wake
  }

  unwatch(): void {
    this.#wake = undefined
  }

  close(): void {
    this.unwatch()
    this.#isClosed = true
    closeOrderly(this.#socket, this.#awaitsPeer)
  }

  #noteError(error: Error): void {
    // after close() nobody cares
    if (this.#error !== undefined || this.#isClosed) return
    // a server with TLS 1.3 refuses our certificate only now
    logLibraryProblems(error)
    const errno: unknown = Reflect.get(error, 'errno')
    this.#error = new SystemError(
      'read',
      typeof errno === 'number' ? Math.abs(errno) : constants.errno.ECONNRESET,
    )
    this.#announce(READABLE | WRITABLE | HANGUP)
  }

  #noteEnd(): void {
    this.#hasEnded = true
    this.#announce(READABLE | WRITABLE | HANGUP)
  }

  #announce(ready: number): void {
    if ((ready & READABLE) !== 0) this.#maybeReadable = true
    if ((ready & WRITABLE) !== 0) this.#maybeWritable = true
    this.#wake?.(ready)
  }
}
