/**
 * client-server - accepts clients and serves them: services of kind single, multi and event
 *
 * How many at once, and what master(8) hears of it:
 *
 *   one at a time  (single, started by the real master, or with a share of 1): TAKEN when a client is
 *                  accepted, AVAIL when its connection is closed
 *   a share of n   (single, under our master): TAKEN when n are being served, AVAIL when there is room again
 *   many           (multi, event): master hears of the first client only, so that it counts the process as
 *                  one that has worked
 *
 * A client that cannot be served costs itself its conversation; the others go on.
 *
 * A conversation may leave its connection open for another one (Client.stay()). Such a connection takes no room: it is closed
 * when the process is full or leaves, and its client, which has said nothing yet that matters, connects anew.
 */
import { setKeepAlive, Acceptor, type SocketAddress } from '@posthorn/native/socket'
import { ByteStream, EndOfStreamError } from '@posthorn/stream/byte-stream'
import { log } from '@posthorn/log/log'
import { NEXT_CONVERSATION } from '@posthorn/wire/channel-pool'
import type { Descriptor } from '@posthorn/native/descriptor'
import { AcceptedClient } from './accepted-client.ts'
import { dropStream, endStream } from './close-stream.ts'
import { errorText } from './error-text.ts'
import { receivePassedClient } from './pass-handoff.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { SelectLock } from './select-lock.ts'
import type { Service } from './service.ts'
import type { StatusChannel } from './status-channel.ts'

export interface ClientServerOptions {
  service: Service
  listeners: readonly Descriptor[]
  transport: 'inet' | 'unix' | 'pass'
  /** Clients at once; Infinity for multi and event. */
  slots: number
  /** Started by a master of ours with a share of the clients: it understands more than TAKEN and AVAIL. */
  sharesClients: boolean
  /** ipc_timeout, for each wait on a client. */
  timeoutMs: number
  /** The longest conversation; 0 = no limit. */
  conversationMs: number
  lifecycle: Lifecycle
  /** Absent without master(8). */
  status: StatusChannel | undefined
  selectLock: SelectLock
}

export class ClientServer {
  readonly #options: ClientServerOptions
  readonly #acceptors: readonly Acceptor[]
  /** Accepted in the same turn as the last free slot was taken, by another listener. */
  readonly #waiting: [Descriptor, SocketAddress][] = []
  /** Open connections between two conversations. */
  readonly #resting = new Set<ByteStream>()
  #isFull = false
  #hasWorked = false

  constructor(options: ClientServerOptions) {
    this.#options = options
    this.#acceptors = options.listeners.map(
      (listener) =>
        new Acceptor(listener, (client, peer) => {
          this.#accepted(client, peer)
        }),
    )
  }

  start(): void {
    this.#options.lifecycle.begin(() => {
      this.#pause()
      // master must not count on a process that only finishes its clients
      const { lifecycle, status, sharesClients } = this.#options
      if (lifecycle.busy === 0) return
      if (sharesClients) status?.tell('leaving')
      else if (!this.#isFull) status?.tell('taken')
    })
    this.#listen()
  }

  #pause(): void {
    for (const acceptor of this.#acceptors) acceptor.pause()
    for (const stream of this.#resting) stream.close()
    this.#resting.clear()
    this.#options.selectLock.release()
  }

  #listen(): void {
    const resume = async (): Promise<void> => {
      await this.#options.selectLock.take()
      if (this.#options.lifecycle.isLeaving) this.#options.selectLock.release()
      else for (const acceptor of this.#acceptors) acceptor.resume()
    }
    resume().catch((error: unknown) => {
      log.warning(`cannot wait for clients: ${errorText(error)}`)
      this.#options.lifecycle.leave('no select lock -- exiting')
    })
  }

  #accepted(descriptor: Descriptor, peer: SocketAddress): void {
    if (this.#isFull) {
      this.#waiting.push([descriptor, peer])
      return
    }
    this.#begin(async () => this.#converse(descriptor, peer))
  }

  #begin(converse: () => Promise<void>): void {
    const { lifecycle, slots, status } = this.#options
    lifecycle.clientCame()
    if (lifecycle.busy >= slots) {
      this.#isFull = true
      this.#pause()
      status?.tell('taken') // a failure is ignored: the client is served all the same
    }
    converse().then(
      () => {
        this.#finished()
      },
      (error: unknown) => {
        log.warning(errorText(error))
        this.#finished()
      },
    )
  }

  #finished(): void {
    const { lifecycle, slots, status } = this.#options
    lifecycle.clientWent()
    if (this.#isFull && lifecycle.busy < slots) {
      this.#isFull = false
      const isHeard = lifecycle.isLeaving || (status?.tell('available') ?? true)
      const waiting = this.#waiting.shift()
      if (waiting !== undefined) this.#accepted(...waiting)
      else if (!isHeard) lifecycle.leave('master disconnect -- exiting')
      else if (!lifecycle.isLeaving) this.#listen()
    } else if (!this.#hasWorked && slots > 1 && !lifecycle.isLeaving) {
      status?.tell('taken', 'available')
    }
    this.#hasWorked = true
  }

  async #converse(descriptor: Descriptor, peer: SocketAddress): Promise<void> {
    const { timeoutMs, transport } = this.#options
    if (transport === 'pass') {
      const passed = await receivePassedClient(new ByteStream(descriptor, { timeoutMs }))
      await this.#serve(passed.descriptor, passed.client)
    } else {
      await this.#serve(descriptor, new AcceptedClient(descriptor, 'accepted', peer))
    }
  }

  async #serve(descriptor: Descriptor, client: AcceptedClient): Promise<void> {
    if (client.peer.family !== 'unix') setKeepAlive(descriptor)
    await this.#serveStream(new ByteStream(descriptor), client)
  }

  async #serveStream(stream: ByteStream, client: AcceptedClient): Promise<void> {
    const { service, timeoutMs, conversationMs, lifecycle, sharesClients } = this.#options
    stream.timeoutMs = timeoutMs
    if (conversationMs > 0) stream.deadlineMs = Date.now() + conversationMs
    client.begin(sharesClients && !lifecycle.isLeaving)
    let rests = false
    try {
      await service.serve?.(stream, client)
      // the answer first: a connection at rest may be closed at any moment
      if (client.stays && stream.isOpen) await stream.flush()
      rests = client.stays && stream.isOpen && !lifecycle.isLeaving
      if (!rests) await endStream(stream)
    } finally {
      client.finish()
      if (!rests) dropStream(stream)
    }
    if (rests) this.#rest(stream, client)
  }

  /** Until the client begins another conversation, or leaves. */
  #rest(stream: ByteStream, client: AcceptedClient): void {
    this.#resting.add(stream)
    stream.watchHangup(() => {
      this.#wake(stream, client).catch((error: unknown) => {
        log.warning(errorText(error))
        stream.close()
      })
    })
  }

  async #wake(stream: ByteStream, client: AcceptedClient): Promise<void> {
    const wantsMore = await beginsAnother(stream)
    this.#resting.delete(stream)
    if (!wantsMore || this.#isFull || this.#options.lifecycle.isLeaving) stream.close()
    else this.#begin(async () => this.#serveStream(stream, client))
  }
}

/** False: the client has left, or what it says is no request for another conversation. */
async function beginsAnother(stream: ByteStream): Promise<boolean> {
  try {
    if (!(await stream.fill())) return false
  } catch (error) {
    if (error instanceof EndOfStreamError) return false
    throw error
  }
  return stream.take(stream.buffered.length) === NEXT_CONVERSATION
}
