/**
 * stalling-server - takes connections, answers up to one step, and from there on neither answers nor hangs up
 *
 * Once told to recover it takes everything on new connections; those that stalled stay as they are.
 */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** What is not answered; 'body': the content is not even read. */
export type Step = 'greeting' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'body' | '.'

const ANSWERS: Readonly<Record<string, string>> = {
  EHLO: '250 stall.test',
  DATA: '354 go on',
  QUIT: '221 2.0.0 bye',
}

export class StallingServer {
  /** Recipients of messages that were taken. */
  readonly recipients: string[] = []
  connections = 0
  #step: Step | undefined
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(step: Step | undefined) {
    this.#step = step
    this.#server = createServer((socket) => {
      this.connections += 1
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
      this.#serve(socket, this.#step)
    })
  }

  static async start(step?: Step): Promise<StallingServer> {
    const server = new StallingServer(step)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  /** For connections that come now. */
  recover(): void {
    this.#step = undefined
  }

  /** Connections that are open, idle ones too, are not answered any more, nor closed. */
  freeze(): void {
    for (const socket of this.#sockets) {
      socket.removeAllListeners('data')
      socket.resume()
    }
  }

  #serve(socket: Socket, step: Step | undefined): void {
    let pending = ''
    let isContent = false
    let recipients: string[] = []
    socket.on('data', (chunk: Buffer) => {
      pending += chunk.toString('latin1')
      for (let end = lineEnd(pending); end >= 0; end = lineEnd(pending)) {
        const line = pending.slice(0, end)
        pending = pending.slice(end + '\r\n'.length)
        if (isContent && line !== '.') continue
        const verb = line.split(' ', 1)[0] ?? ''
        if (verb === step) {
          socket.removeAllListeners('data')
          socket.resume()
          return
        }
        if (isContent) this.recipients.push(...recipients)
        if (verb === 'MAIL') recipients = []
        if (verb === 'RCPT') recipients.push(/<(.*)>/.exec(line)?.[1] ?? '')
        isContent = verb === 'DATA'
        socket.write(`${ANSWERS[verb] ?? '250 2.0.0 Ok'}\r\n`)
        if (verb === 'QUIT') socket.end()
        if (isContent && step === 'body') {
          socket.pause()
          return
        }
      }
    })
    if (step !== 'greeting') socket.write('220 stall.test ESMTP\r\n')
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}

const lineEnd = (text: string): number => text.indexOf('\r\n')
