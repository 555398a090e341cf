/**
 * datagram-queue - log datagrams on their way to a local socket
 *
 * Postfix blocks in send(2) while the reader of the socket is behind; an event loop must not. What finds no
 * room waits here, in order, up to a limit; beyond it lines are lost rather than memory.
 */
import { DatagramSocket } from '@posthorn/native/datagram'

/** Datagrams that wait at most; about 1 MB of log lines. */
const WAITING_LIMIT = 256

export class DatagramQueue {
  readonly #path: string
  #socket: DatagramSocket | undefined
  #waiting: string[] = []

  constructor(path: string) {
    this.#path = path
    this.connect()
  }

  /** The connection survives a restart of the reader, but not of the one who made the socket. */
  get isConnected(): boolean {
    return this.#socket !== undefined
  }

  connect(): boolean {
    try {
      this.#socket ??= DatagramSocket.connect(this.#path)
    } catch {
      this.#socket = undefined
    }
    return this.#socket !== undefined
  }

  close(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  push(datagram: string): void {
    if (this.#waiting.length < WAITING_LIMIT) this.#waiting.push(datagram)
  }

  /** Sends while there is room. 'lost': nobody is there; what waits stays for another attempt or for takeWaiting(). */
  send(): 'sent' | 'full' | 'lost' {
    if (this.#waiting.length === 0) return 'sent'
    if (!this.connect()) return 'lost'
    let sent = 0
    try {
      for (const datagram of this.#waiting) {
        if (this.#socket?.send(datagram) !== true) break
        sent++
      }
    } catch {
      this.close()
    }
    this.#waiting.splice(0, sent)
    if (this.#waiting.length === 0) return 'sent'
    return this.#socket === undefined ? 'lost' : 'full'
  }

  takeWaiting(): string[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }
}
