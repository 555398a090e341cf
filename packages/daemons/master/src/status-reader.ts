/**
 * status-reader - master's end of the channel on which the processes of a service report
 *
 * All processes of a service share the other end, which master keeps open too, to hand it to the next; so it never sees an
 * end of file. Closing both ends tells the processes to leave when they are idle. Source: Postfix 3.7 master(8).
 */
import { decodeStatusMessages, type StatusMessage } from '@posthorn/wire/status-message'
import { socketPair } from '@posthorn/native/socket'
import type { Descriptor } from '@posthorn/native/descriptor'

export interface StatusHandlers {
  message: (message: StatusMessage) => void
  /** Octets that are no whole message; the process id, if they begin with one. */
  partial: (count: number, pid: number) => void
}

export class StatusReader {
  readonly #ours: Descriptor
  readonly #theirs: Descriptor
  readonly #handlers: StatusHandlers

  constructor(handlers: StatusHandlers) {
    const [ours, theirs] = socketPair()
    theirs.setBlocking()
    this.#ours = ours
    this.#theirs = theirs
    this.#handlers = handlers
    ours.watch(() => {
      this.#read()
    })
  }

  /** What a process inherits as descriptor 5. */
  get childFd(): number {
    return this.#theirs.fd
  }

  close(): void {
    this.#ours.close()
    this.#theirs.close()
  }

  #read(): void {
    for (let octets = this.#take(); octets !== undefined; octets = this.#take()) {
      const { messages, rest } = decodeStatusMessages(octets)
      for (const message of messages) this.#handlers.message(message)
      if (rest === '') continue
      const start = Buffer.from(rest, 'latin1')
      this.#handlers.partial(rest.length, start.length >= 4 ? start.readInt32LE(0) : 0)
    }
  }

  #take(): string | undefined {
    return this.#ours.isOpen && this.#ours.maybeReadable ? this.#ours.readText() : undefined
  }
}
