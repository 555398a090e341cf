/**
 * flow-control - the pipe of tokens between cleanup(8) and qmgr(8)
 *
 * master(8) gives every child both ends of one pipe. Each octet in it is a permission to bring one more
 * message into the queue: qmgr(8) puts them in, cleanup(8) takes one per message and waits
 * in_flow_delay when there is none. Source: Postfix 3.7 master(8), in_flow_delay.
 */
import { Descriptor } from '@posthorn/native/descriptor'

export interface FlowControl {
  /** Takes one token; false when there is none. Does not wait. */
  take: () => boolean
  /** Adds tokens; those that do not fit into the pipe are dropped. */
  put: (count: number) => void
  /** Tokens in the pipe. */
  count: () => number
}

const READ_END = 3
const WRITE_END = 4

export class FlowPipe implements FlowControl {
  readonly #readEnd: Descriptor
  readonly #writeEnd: Descriptor
  readonly #octet = Buffer.alloc(1)

  constructor(readEnd: Descriptor, writeEnd: Descriptor) {
    this.#readEnd = readEnd
    this.#writeEnd = writeEnd
  }

  /** The descriptors 3 and 4 that master(8) hands down. */
  static inherit(): FlowPipe {
    return new FlowPipe(Descriptor.adopt(READ_END), Descriptor.adopt(WRITE_END))
  }

  take(): boolean {
    return this.#readEnd.read(this.#octet) === 1
  }

  put(count: number): void {
    if (count > 0) this.#writeEnd.write(Buffer.alloc(count))
  }

  count(): number {
    return this.#readEnd.bytesReadable()
  }
}

/** For a process without master(8): there is always a token. */
export const unlimitedFlow: FlowControl = {
  take: () => true,
  put: () => undefined,
  count: () => 0,
}
