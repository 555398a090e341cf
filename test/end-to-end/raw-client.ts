/**
 * raw-client - a TCP or Unix client without manners: sends any octets, reads when told to
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { waitFor } from '@posthorn/testing/wait-for'

/** Of what the server said only so much is kept. */
const KEPT_OCTETS = 1_000_000

export class RawClient {
  readonly socket: Socket
  received = ''
  /** The server has closed or reset the connection. */
  isClosed = false
  isEnded = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => undefined)
    socket.on('end', () => {
      this.isEnded = true
    })
    socket.on('close', () => {
      this.isClosed = true
    })
  }

  /** Reads from the start, unless `isDeaf`. */
  static async connect(
    to: number | string,
    options: { isDeaf?: boolean } = {},
  ): Promise<RawClient> {
    const socket =
      typeof to === 'number'
        ? connect({ port: to, host: '127.0.0.1', allowHalfOpen: true })
        : connect({ path: to, allowHalfOpen: true })
    const client = new RawClient(socket)
    await once(socket, 'connect')
    if (options.isDeaf !== true) client.listen()
    return client
  }

  listen(): void {
    this.socket.on('data', (octets) => {
      if (this.received.length < KEPT_OCTETS) this.received += octets.toString('latin1')
    })
  }

  /** Resolves when the kernel has taken it all, or the server is gone. */
  async send(octets: string | Buffer): Promise<void> {
    if (this.isClosed || this.socket.destroyed) return
    const data = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.socket.off('close', done)
        resolve()
      }
      this.socket.once('close', done)
      this.socket.write(data, done)
    })
  }

  /** Sends `piece` until `octets` have gone or the server is gone; returns how many went. */
  async flood(piece: Buffer, octets: number): Promise<number> {
    let sent = 0
    for (; sent < octets && !this.isClosed; sent += piece.length) await this.send(piece)
    return sent
  }

  /** What was received, once it matches. */
  async expect(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    try {
      await waitFor(
        () => pattern.test(this.received) || this.isEnded || this.isClosed,
        '',
        timeoutMs,
      )
    } catch {
      // the check below says what there was
    }
    if (!pattern.test(this.received)) {
      throw new Error(`Cannot find ${String(pattern)} in "${this.received.slice(-1000)}"`)
    }
    return this.received
  }

  /** Waits until the server has ended its side. */
  async untilEnd(timeoutMs = 10_000): Promise<string> {
    await waitFor(() => this.isEnded || this.isClosed, 'the server to hang up', timeoutMs)
    return this.received
  }

  /** Ends our side; the other one stays open. */
  shut(): void {
    this.socket.end()
  }

  close(): void {
    this.socket.destroy()
  }
}
