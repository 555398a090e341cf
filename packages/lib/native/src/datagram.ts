/**
 * datagram - Unix-domain datagram sockets, for log lines
 *
 * Source: unix(7). RFC 5424 is above this.
 */
import { chmodSync, unlinkSync } from 'node:fs'
import { Descriptor } from './descriptor.ts'
import { native } from './load.ts'
import { startWatching, stopWatching, WATCH_LEVEL } from './poller.ts'
import { checked, errorCode, failure } from './system-error.ts'

const EAGAIN = -11
/** Messages taken in one turn, so that a flood leaves room for others. */
const MAX_PER_TURN = 64

export class DatagramSocket {
  readonly #descriptor: Descriptor
  #token: number | undefined

  private constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor
  }

  /** @throws {SystemError} ENOENT, ECONNREFUSED: nobody receives there */
  static connect(path: string): DatagramSocket {
    return new DatagramSocket(Descriptor.fresh(checked(native.connectDatagram(path))))
  }

  /** Creates the socket anew, with these permission bits whatever the umask. @throws {SystemError} */
  static bind(path: string, mode?: number): DatagramSocket {
    /* eslint-disable n/no-sync -- once, at start */
    try {
      unlinkSync(path)
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
    const socket = new DatagramSocket(Descriptor.fresh(checked(native.bindDatagram(path))))
    try {
      if (mode !== undefined) chmodSync(path, mode)
    } catch (error) {
      socket.close()
      throw error
    }
    /* eslint-enable n/no-sync */
    return socket
  }

  /** Takes ownership, as of a socket inherited from master(8). */
  static adopt(descriptor: Descriptor): DatagramSocket {
    return new DatagramSocket(descriptor)
  }

  get fd(): number {
    return this.#descriptor.fd
  }

  /**
   * false: the receiver's queue is full, even after waiting `waitMs` (the whole process waits; 0 = do not).
   * @throws {SystemError} ECONNREFUSED, ENOTCONN, ECONNRESET: the receiver is gone; EMSGSIZE
   */
  send(octets: string | Buffer, waitMs = 0): boolean {
    const count = native.sendDatagram(this.#descriptor.fd, octets, waitMs)
    if (count === EAGAIN) return false
    checked(count)
    return true
  }

  /** Calls `receive` for each datagram, of at most 65536 octets. A second call replaces the first. */
  onMessage(receive: (octets: string) => void): void {
    this.#unwatch()
    this.#token = startWatching(this.#descriptor.fd, WATCH_LEVEL, () => {
      for (let i = 0; i < MAX_PER_TURN && this.#descriptor.isOpen; i++) {
        const octets = native.receiveDatagram(this.#descriptor.fd)
        if (octets === EAGAIN) return
        if (typeof octets === 'number') throw failure(octets)
        receive(octets)
      }
    })
  }

  /** Stops receiving: datagrams stay in the queue for whoever shares the socket. */
  pause(): void {
    this.#unwatch()
  }

  /** Ownership of the descriptor goes to the caller; this is spent. */
  detach(): Descriptor {
    this.#unwatch()
    return Descriptor.fresh(this.#descriptor.release())
  }

  /** Harmless when closed. */
  close(): void {
    this.#unwatch()
    this.#descriptor.close()
  }

  #unwatch(): void {
    if (this.#token === undefined) return
    stopWatching(this.#descriptor.fd, this.#token)
    this.#token = undefined
  }
}
