/**
 * peer-connection - one connection of a scripted peer: reads, says what the script wants, goes over to TLS
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { TLSSocket, type SecureContext } from 'node:tls'
import type { PeerTlsFacts, Reply, ScriptedReply } from './peer-script.ts'

export class PeerConnection {
  readonly #socket: Socket
  #stream: Socket
  #chunks: AsyncIterator<Buffer, undefined>

  constructor(socket: Socket) {
    this.#socket = socket
    this.#stream = socket
    this.#chunks = chunksOf(socket)
    socket.on('error', () => socket.destroy())
  }

  /** We have hung up; what the client says is of no interest any more. */
  get isEnded(): boolean {
    return this.#stream.writableEnded || this.#stream.destroyed
  }

  /** latin1; undefined at the end. */
  async read(): Promise<string | undefined> {
    const { value } = await this.#chunks.next()
    return value?.toString('latin1')
  }

  /** The code of what was said; '' when nothing was or the connection is gone. */
  async say(reply: Reply): Promise<string> {
    const given: ScriptedReply = typeof reply === 'string' ? { text: reply } : reply
    const { text, octets = '', delayMs, trickleMs, deafMs, unasked } = given
    if (delayMs !== undefined) await pause(delayMs, undefined, { ref: false })
    if (this.isEnded) return ''
    await this.#write((text === undefined ? '' : `${text}\r\n`) + octets, trickleMs)
    if (unasked !== undefined) {
      this.say(unasked).catch(() => {
        this.destroy()
      })
    }
    if (given.reset === true) {
      this.#socket.resetAndDestroy()
      return ''
    }
    if (given.close === true) {
      this.end()
      return ''
    }
    if (deafMs === Infinity) await once(this.#socket, 'close')
    else if (deafMs !== undefined) await pause(deafMs, undefined, { ref: false })
    return text?.split('\r\n').at(-1)?.slice(0, 3) ?? ''
  }

  /** Hangs up; what the client has still to say is to be drained, or the kernel would reset the connection. */
  end(): void {
    this.#stream.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** @throws what node:tls says of a handshake that came to nothing; the connection is then gone */
  async startTls(secureContext: SecureContext, requestCert: boolean): Promise<PeerTlsFacts> {
    await this.#chunks.return?.()
    const options = { isServer: true, secureContext, requestCert, rejectUnauthorized: false }
    const secure = new TLSSocket(this.#socket, options)
    secure.on('error', () => this.#socket.destroy())
    this.#stream = secure
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    secure.once('secure', resolve)
    secure.once('close', reject)
    await promise
    this.#chunks = chunksOf(secure)
    const { servername } = secure as { servername?: string | false | null }
    return {
      protocol: secure.getProtocol() ?? '',
      cipher: secure.getCipher().name,
      servername: typeof servername === 'string' ? servername : '',
      client: secure.getPeerX509Certificate()?.subject.replace(/^CN=/, '') ?? '',
      isResumed: secure.isSessionReused(),
    }
  }

  async #write(said: string, trickleMs: number | undefined): Promise<void> {
    if (said === '') return
    if (trickleMs === undefined) {
      this.#stream.write(Buffer.from(said, 'latin1'))
      return
    }
    for (const octet of said) {
      if (this.isEnded) return
      this.#stream.write(Buffer.from(octet, 'latin1'))
      await pause(trickleMs, undefined, { ref: false })
    }
  }
}

/** Reading may go on elsewhere, under TLS, after the iterator has returned. */
function chunksOf(stream: Socket): AsyncIterator<Buffer, undefined> {
  const iterator: AsyncIterator<Buffer, undefined> = stream.iterator({ destroyOnReturn: false })
  return iterator
}
