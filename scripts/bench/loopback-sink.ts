/**
 * loopback-sink - an SMTP server in this process that takes everything, on as many addresses as are wanted
 *
 * Each address is a destination of its own for a queue manager. smtp-sink(1) is quicker, but has one address,
 * one clock that is not ours, no TLS, and does not say whom a message was for. Replies to pipelined commands leave
 * in one write, so that a transaction of twenty recipients costs as many system calls as one of one.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { TLSSocket, type SecureContext } from 'node:tls'
import { waitFor } from '@posthorn/testing/wait-for'
import { freePort } from '@posthorn/testing/free-port'

export interface LoopbackSinkOptions {
  readonly addresses?: readonly string[]
  /** How long a client waits for the greeting. */
  readonly greetingDelayMs?: number
  /** Takes connections, and never says a word. */
  readonly isSilent?: boolean
  /** Offers STARTTLS. */
  readonly secureContext?: SecureContext
  /** Called when the content of a message is complete; the clock is performance.now(). */
  readonly onMessage?: (recipients: readonly string[], atMs: number) => void
}

/** Since the start. */
export interface SinkCounters {
  readonly connections: number
  /** Full ones: those that resumed an earlier session are not among them. */
  readonly handshakes: number
  readonly resumptions: number
}

const REPLIES: Readonly<Record<string, string>> = {
  DATA: '354 go on',
  QUIT: '221 2.0.0 bye',
  STARTTLS: '220 2.0.0 go ahead',
}
const END = '\r\n.\r\n'

export class LoopbackSink {
  readonly port: number
  readonly #options: LoopbackSinkOptions
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #counters = { connections: 0, handshakes: 0, resumptions: 0 }
  #recipients = 0
  #lastMs = 0

  private constructor(port: number, options: LoopbackSinkOptions) {
    this.port = port
    this.#options = options
  }

  static async start(options: LoopbackSinkOptions = {}): Promise<LoopbackSink> {
    const sink = new LoopbackSink(await freePort(), options)
    try {
      for (const address of options.addresses ?? ['127.0.0.1']) await sink.#listen(address)
    } catch (error) {
      await sink.stop()
      throw error
    }
    return sink
  }

  get counters(): SinkCounters {
    return { ...this.#counters }
  }

  async #listen(address: string): Promise<void> {
    const server = createServer((socket) => {
      this.#greet(socket)
    })
    this.#servers.push(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, address, resolve)
    })
  }

  /** Waits for so many recipients since the start, and returns when the last of them had its message. */
  async received(recipients: number, limitMs: number): Promise<number> {
    const arrived = (): boolean => this.#recipients >= recipients
    await waitFor(arrived, `${recipients} recipients at the sink`, limitMs).catch(
      (error: unknown) => {
        throw new Error(`Only ${this.#recipients} recipients of ${recipients} arrived`, {
          cause: error,
        })
      },
    )
    return this.#lastMs
  }

  #greet(socket: Socket): void {
    this.#counters.connections += 1
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
    const { greetingDelayMs = 0, isSilent = false } = this.#options
    const greet = (): void => {
      if (socket.destroyed) return
      socket.write('220 sink ESMTP\r\n')
      this.#serve(socket, true)
    }
    if (isSilent) socket.resume()
    else if (greetingDelayMs === 0) greet()
    else setTimeout(greet, greetingDelayMs)
  }

  #serve(socket: Socket, isPlain: boolean): void {
    const offersTls = isPlain && this.#options.secureContext !== undefined
    const helloReply = `250-sink\r\n${offersTls ? '250-STARTTLS\r\n' : ''}250 PIPELINING`
    let pending = ''
    let isContent = false
    let recipients: string[] = []
    const take = (chunk: Buffer): void => {
      pending += chunk.toString('latin1')
      let replies = ''
      let isOver = false
      for (;;) {
        const end = pending.indexOf(isContent ? END : '\r\n')
        if (end < 0) break
        if (isContent) {
          pending = pending.slice(end + END.length)
          isContent = false
          this.#take(recipients)
          recipients = []
          replies += '250 2.0.0 Ok\r\n'
          continue
        }
        const line = pending.slice(0, end)
        pending = pending.slice(end + 2)
        const verb = (line.split(' ', 1)[0] ?? '').toUpperCase()
        if (verb === 'STARTTLS') {
          // RFC 3207 4.2: nothing may come with the command
          socket.off('data', take)
          this.#secure(socket)
          return
        }
        if (verb === 'RCPT') recipients.push(/<([^>]*)>/.exec(line)?.[1] ?? '')
        isContent = verb === 'DATA'
        isOver ||= verb === 'QUIT'
        replies += `${verb === 'EHLO' ? helloReply : (REPLIES[verb] ?? '250 2.0.0 Ok')}\r\n`
      }
      if (replies !== '') socket.write(replies)
      if (isOver) socket.end()
    }
    socket.on('data', take)
  }

  #secure(socket: Socket): void {
    const { secureContext } = this.#options
    if (secureContext === undefined) {
      socket.destroy()
      return
    }
    socket.write(`${REPLIES['STARTTLS']}\r\n`)
    const secure = new TLSSocket(socket, { isServer: true, secureContext })
    secure.on('error', () => socket.destroy())
    secure.once('secure', () => {
      this.#counters[secure.isSessionReused() ? 'resumptions' : 'handshakes'] += 1
      this.#serve(secure, false)
    })
  }

  #take(recipients: readonly string[]): void {
    this.#lastMs = performance.now()
    this.#recipients += recipients.length
    this.#options.onMessage?.(recipients, this.#lastMs)
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(
      this.#servers.map(async (server) => new Promise((resolve) => server.close(resolve))),
    )
  }
}

/** Addresses of the loopback network that are nobody's own: 127.1.0.1, 127.1.0.2, ... */
export function loopbackAddresses(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `127.1.${Math.floor(at / 250)}.${(at % 250) + 1}`)
}
