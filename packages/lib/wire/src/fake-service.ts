/**
 * fake-service - a service on a socket in a temporary directory, for tests of clients
 *
 *     using service = FakeService.start(async (channel) => { channel.announce('x_protocol'); ... })
 *     await Channel.connect(service.path, ...)
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Acceptor, listenOn } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { attr0, type ListEncoding } from './attr-list.ts'
import { Channel } from './channel.ts'

export class FakeService {
  readonly path: string
  /** how many clients have connected */
  clientCount = 0
  /** what the service threw, which is not always a fault */
  readonly errors: unknown[] = []
  readonly #directory: string
  readonly #acceptor: Acceptor
  readonly #open = new Set<ByteStream>()

  static start(
    serve: (channel: Channel) => Promise<void>,
    encoding: ListEncoding = attr0,
  ): FakeService {
    return new FakeService(serve, encoding)
  }

  private constructor(serve: (channel: Channel) => Promise<void>, encoding: ListEncoding) {
    // eslint-disable-next-line n/no-sync -- tests only
    this.#directory = mkdtempSync(join(tmpdir(), 'posthorn-wire-'))
    this.path = join(this.#directory, 'service')
    const listener = listenOn({ family: 'unix', path: this.path }, { backlog: 50 })
    this.#acceptor = new Acceptor(listener, (client) => {
      this.clientCount += 1
      const stream = new ByteStream(client, { timeoutMs: 5_000 })
      this.#open.add(stream)
      serve(new Channel(stream, encoding))
        .then(async () => (stream.isOpen ? stream.end() : undefined))
        .catch((error: unknown) => {
          this.errors.push(error)
        })
        .finally(() => {
          stream.close()
          this.#open.delete(stream)
        })
    })
    this.#acceptor.resume()
  }

  /** Hangs up on every client. */
  hangUp(): void {
    for (const stream of this.#open) stream.close()
  }

  [Symbol.dispose](): void {
    this.#acceptor.close()
    this.hangUp()
    // eslint-disable-next-line n/no-sync -- tests only
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
