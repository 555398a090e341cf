/**
 * descriptor - an open descriptor and its watcher, owned together
 *
 * Whoever holds a Descriptor must close it, release it or pass it on; then it is spent and every use throws. Reads and
 * writes never wait. A watched descriptor is registered once, edge-triggered; `maybeReadable` and `maybeWritable` say
 * whether trying is worth a system call: they start true, a call that would have waited clears them, an event sets them.
 *
 * Source: epoll(7), unix(7).
 */
import { native } from './load.ts'
import {
  changeWatching,
  HANGUP,
  READABLE,
  startWatching,
  stopWatching,
  WATCH_BOTH,
  WATCH_INPUT,
  WRITABLE,
} from './poller.ts'
import { checked, failure, SystemError } from './system-error.ts'

export { HANGUP, READABLE, WRITABLE } from './poller.ts'

const EAGAIN = -11
const SPENT = -1
const UNWATCHED = 0
const MAX_TEXT_OCTETS = 65_536

export class Descriptor {
  #fd: number
  #token = UNWATCHED
  #wake: ((ready: number) => void) | undefined
  #isOutputWatched = false
  #maybeReadable = true
  #maybeWritable: boolean
  #hasHungUp = false

  private constructor(fd: number, maybeWritable: boolean) {
    this.#fd = fd
    this.#maybeWritable = maybeWritable
  }

  /** Takes ownership of an open descriptor; makes it non-blocking and close-on-exec. */
  static adopt(fd: number): Descriptor {
    checked(native.adopt(fd))
    return new Descriptor(fd, true)
  }

  /** For this package: `fd` comes from the addon and is non-blocking already. A connection in progress is not writable. */
  static fresh(fd: number, maybeWritable = true): Descriptor {
    return new Descriptor(fd, maybeWritable)
  }

  /** For a program that will inherit it: reads and writes wait, for everybody who has it open. @throws {SystemError} */
  setBlocking(): void {
    checked(native.setBlocking(this.fd))
  }

  /** @throws {Error} spent */
  get fd(): number {
    if (this.#fd === SPENT) throw new Error('Cannot use descriptor: it was closed or given away')
    return this.#fd
  }

  get isOpen(): boolean {
    return this.#fd !== SPENT
  }

  get maybeReadable(): boolean {
    return this.#maybeReadable
  }

  get maybeWritable(): boolean {
    return this.#maybeWritable
  }

  /** Whether an event said that the peer ended its side or that the connection failed. */
  get hasHungUp(): boolean {
    return this.#hasHungUp
  }

  get isWatched(): boolean {
    return this.#token !== UNWATCHED
  }

  /**
   * Calls `wake` with READABLE, WRITABLE and HANGUP bits whenever readiness changes, first for what is ready now.
   * A second call replaces the watcher without a system call.
   * @throws {SystemError} EPERM: a plain file cannot be watched
   */
  watch(wake: (ready: number) => void): void {
    this.#wake = wake
    if (this.#token !== UNWATCHED) return
    this.#isOutputWatched = !this.#maybeWritable
    const kind = this.#isOutputWatched ? WATCH_BOTH : WATCH_INPUT
    this.#token = startWatching(this.fd, kind, (ready) => {
      this.#ready(ready)
    })
  }

  unwatch(): void {
    if (this.#token === UNWATCHED) return
    stopWatching(this.#fd, this.#token)
    this.#token = UNWATCHED
    this.#wake = undefined
  }

  #ready(ready: number): void {
    if ((ready & READABLE) !== 0) this.#maybeReadable = true
    if ((ready & WRITABLE) !== 0) this.#maybeWritable = true
    if ((ready & HANGUP) !== 0) this.#hasHungUp = true
    this.#wake?.(ready)
  }

  /** More than 0: octets; 0: end of file; -1: would have waited. @throws {SystemError} */
  read(into: Buffer): number {
    const count = native.read(this.fd, into)
    if (count >= 0) {
      this.#noteInput(count, into.length)
      return count
    }
    this.#noteBlocked(count)
    return -1
  }

  /** At most `limit` (and 65536) octets; '' is end of file, undefined: would have waited. @throws {SystemError} */
  readText(limit = MAX_TEXT_OCTETS): string | undefined {
    const text = native.readText(this.fd, limit)
    if (typeof text === 'string') {
      this.#noteInput(text.length, Math.min(limit, MAX_TEXT_OCTETS))
      return text
    }
    this.#noteBlocked(text)
    return undefined
  }

  /** Octets that could be read now: FIONREAD. @throws {SystemError} */
  bytesReadable(): number {
    return checked(native.bytesReadable(this.fd))
  }

  /** Less than asked for: nothing is left, and more will be an event, unless the end has been announced already. */
  #noteInput(count: number, asked: number): void {
    this.#maybeReadable = count === asked || count === 0 || this.#hasHungUp
  }

  #noteBlocked(result: number): void {
    if (result !== EAGAIN) throw failure(result)
    this.#maybeReadable = false
  }

  /** The number of octets that the kernel took, 0: would have waited. @throws {SystemError} EPIPE: the peer is gone */
  write(octets: string | Buffer): number {
    let count = native.write(this.fd, octets)
    if (count < 0) {
      if (count !== EAGAIN) throw failure(count)
      count = 0
    }
    if (count < octets.length) this.#noteOutputBlocked()
    return count
  }

  #noteOutputBlocked(): void {
    this.#maybeWritable = false
    if (this.#token === UNWATCHED || this.#isOutputWatched) return
    this.#isOutputWatched = true
    changeWatching(this.fd, this.#token, WATCH_BOTH)
  }

  /**
   * Passes a descriptor to the peer: one NUL octet with SCM_RIGHTS. When it returns true, `passed` is spent (our copy is
   * closed); false: would have waited, `passed` is still the caller's. @throws {SystemError} `passed` is still the caller's
   */
  sendDescriptor(passed: Descriptor): boolean {
    const count = native.sendDescriptor(this.fd, passed.fd)
    if (count === EAGAIN) {
      this.#noteOutputBlocked()
      return false
    }
    checked(count)
    passed.close()
    return true
  }

  /**
   * Takes one octet and the descriptor that came with it; undefined: would have waited. `asIs`: whoever only keeps it for
   * another process leaves its flags alone, for they belong to all who have it open.
   * @throws {SystemError} ECONNRESET: the peer ended; EBADMSG: the octet came without a descriptor
   */
  receiveDescriptor(asIs = false): Descriptor | undefined {
    const fd = native.receiveDescriptor(this.fd)
    if (fd >= 0) return asIs ? Descriptor.fresh(fd) : Descriptor.adopt(fd)
    this.#noteBlocked(fd)
    return undefined
  }

  /** Who connected to this Unix-domain socket, or created it: SO_PEERCRED. @throws {SystemError} */
  peerCredentials(): { pid: number; uid: number; gid: number } {
    const peer = native.peerCredentials(this.fd)
    if (typeof peer === 'number') throw failure(peer)
    return peer
  }

  /** Gives the bare descriptor away, unwatched and open. */
  release(): number {
    const fd = this.fd
    this.unwatch()
    this.#fd = SPENT
    return fd
  }

  /** Harmless when spent. */
  close(): void {
    if (this.#fd === SPENT) return
    native.close(this.release())
  }
}

/** Whether an error is a system error with one of these codes. */
export function isSystemError(error: unknown, ...codes: readonly string[]): error is SystemError {
  return error instanceof SystemError && codes.includes(error.code)
}
