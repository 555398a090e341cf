/**
 * table-connection - one kept connection to a table server, used by one request at a time
 *
 * A request that fails on a kept connection is made once more on a new one: the server may have left meanwhile.
 * Limits: requests that wait share the one connection; each wait has the table's deadline.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { SocketAddress } from '@posthorn/native/socket'
import { connectStream, type ByteStream } from '@posthorn/stream/byte-stream'
import type { TableEndpoint } from './table-endpoint.ts'

export class TableConnection {
  readonly #endpoint: TableEndpoint | { readonly path: string }
  readonly #timeoutMs: number
  #stream: ByteStream | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(endpoint: TableEndpoint | { readonly path: string }, timeoutMs: number) {
    this.#endpoint = endpoint
    this.#timeoutMs = timeoutMs
  }

  /** Sends a request and reads its reply. @throws {Error} nobody answers */
  async exchange<Reply>(
    request: string,
    read: (stream: ByteStream) => Promise<Reply>,
  ): Promise<Reply> {
    const turn = this.#last.then(async () => this.#exchangeNow(request, read))
    // The next request waits for this one, whatever becomes of it.
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** The next request gets a new connection. */
  drop(): void {
    this.#stream?.close()
    this.#stream = undefined
  }

  async #exchangeNow<Reply>(
    request: string,
    read: (stream: ByteStream) => Promise<Reply>,
  ): Promise<Reply> {
    const isKept = this.#stream?.isOpen ?? false
    try {
      const stream = isKept && this.#stream ? this.#stream : await this.#connect()
      stream.write(request)
      const reply = await read(stream)
      stream.watchHangup(() => {
        if (this.#stream === stream) this.drop()
      })
      return reply
    } catch (error) {
      this.drop()
      if (!isKept) throw error
      return this.#exchangeNow(request, read)
    }
  }

  async #connect(): Promise<ByteStream> {
    this.drop()
    const address = await this.#address()
    this.#stream = await connectStream(address, { timeoutMs: this.#timeoutMs })
    return this.#stream
  }

  async #address(): Promise<SocketAddress> {
    if ('path' in this.#endpoint) return { family: 'unix', path: this.#endpoint.path }
    const { host, port } = this.#endpoint
    const address = isIP(host) === 0 ? (await lookup(host)).address : host
    return { family: isIP(address) === 6 ? 'inet6' : 'inet', address, port }
  }
}
