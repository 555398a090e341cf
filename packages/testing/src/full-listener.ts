/**
 * full-listener - a port of the loopback interface that does not answer: a connect to it is neither taken nor refused
 *
 * Somebody listens, accepts nothing, and as many connections wait as may: the kernel drops every SYN from then on (listen(2)).
 * So a connect can be made to time out without a network beyond the machine.
 */
import type { Descriptor } from '@posthorn/native/descriptor'
import { connectTo, listenOn } from '@posthorn/native/socket'

export class FullListener {
  readonly #descriptors: readonly Descriptor[]

  constructor(address: string, port: number) {
    const at = { family: 'inet', address, port } as const
    // a queue of no length holds one connection; it is there when connect() returns, for both ends are in this kernel
    const listener = listenOn(at, { backlog: 0 })
    this.#descriptors = [connectTo(at), listener]
  }

  close(): void {
    for (const one of this.#descriptors) one.close()
  }
}
