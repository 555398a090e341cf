/**
 * accepted-client - a Client as the skeleton hands it out
 *
 * What costs a system call or an object is made when somebody asks for it: most services look at neither
 * addresses nor signal.
 */
import { localAddress, type SocketAddress } from '@posthorn/native/socket'
import type { Descriptor } from '@posthorn/native/descriptor'
import type { Client } from './service.ts'

export class AcceptedClient implements Client {
  readonly peer: SocketAddress
  readonly arrival: Client['arrival']
  readonly #descriptor: Descriptor
  #local: SocketAddress | undefined
  #controller: AbortController | undefined
  #isOver = false
  #mayStay = false
  #stays = false

  /** `local` is given when the descriptor does not know it: a client that a proxy passed on. */
  constructor(
    descriptor: Descriptor,
    arrival: Client['arrival'],
    peer: SocketAddress,
    local?: SocketAddress,
  ) {
    this.#descriptor = descriptor
    this.arrival = arrival
    this.peer = peer
    this.#local = local
  }

  get local(): SocketAddress {
    return (this.#local ??= localAddress(this.#descriptor))
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#isOver) this.#controller.abort()
    }
    return this.#controller.signal
  }

  /** A conversation begins. `mayStay`: the server can keep the connection for another one. */
  begin(mayStay: boolean): void {
    this.#isOver = false
    this.#controller = undefined
    this.#mayStay = mayStay
    this.#stays = false
  }

  stay(): boolean {
    return (this.#stays = this.#mayStay)
  }

  /** stay() was called, and allowed. */
  get stays(): boolean {
    return this.#stays
  }

  /** The conversation is over. */
  finish(): void {
    this.#isOver = true
    this.#controller?.abort()
  }
}
