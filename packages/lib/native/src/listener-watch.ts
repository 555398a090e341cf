/**
 * listener-watch - tells that somebody knocks, and leaves the door to others
 *
 * For master(8): it starts a process when a connection, a datagram or a FIFO's octet waits, and that process takes it.
 * Level-triggered: what still waits when the watch is resumed is told again.
 */
import type { Descriptor } from './descriptor.ts'
import { startWatching, stopWatching, WATCH_LEVEL } from './poller.ts'

export class ListenerWatch {
  readonly descriptor: Descriptor
  readonly #ready: () => void
  #token: number | undefined

  /** Owns the descriptor; starts paused. `ready` is called at every turn of the event loop until the pause. */
  constructor(descriptor: Descriptor, ready: () => void) {
    this.descriptor = descriptor
    this.#ready = ready
  }

  resume(): void {
    this.#token ??= startWatching(this.descriptor.fd, WATCH_LEVEL, this.#ready)
  }

  pause(): void {
    if (this.#token === undefined) return
    stopWatching(this.descriptor.fd, this.#token)
    this.#token = undefined
  }

  close(): void {
    this.pause()
    this.descriptor.close()
  }
}
