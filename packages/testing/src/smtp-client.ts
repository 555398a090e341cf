/**
 * smtp-client - the other end of an SMTP conversation, one command at a time
 *
 * Says what it is told to say, and fails when the reply is not the expected one. For tests, demos and
 * benchmarks, where a real delivery agent would hide what the server does.
 */
import { connect, type Socket } from 'node:net'

/** The server said something else than was expected, or hung up (code 000). */
export class UnexpectedReplyError extends Error {
  readonly code: string

  constructor(command: string, reply: string) {
    super(`SMTP server replied "${reply}" to "${command}"`)
    this.code = reply.slice(0, 3)
  }
}

const LAST_LINE = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/

export class SmtpClient {
  readonly #socket: Socket
  #received = ''
  #isOver = false
  #wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1')
      this.#wake?.()
    })
    // An error is followed by close; both are "no reply" to the one who waits.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#isOver = true
      this.#wake?.()
    })
  }

  /** Connects and reads the greeting. @throws {UnexpectedReplyError} it is not 220 */
  static async open(port: number, address = '127.0.0.1'): Promise<SmtpClient> {
    const client = new SmtpClient(connect(port, address))
    await client.#expect('connect', '220')
    return client
  }

  async #reply(): Promise<string> {
    for (;;) {
      const reply = LAST_LINE.exec(this.#received)?.[0]
      if (reply !== undefined) {
        this.#received = this.#received.slice(reply.length)
        return reply.trimEnd()
      }
      if (this.#isOver) return '000 connection lost'
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async #expect(command: string, code: string): Promise<string> {
    const reply = await this.#reply()
    if (!reply.startsWith(code)) {
      this.#socket.destroy()
      throw new UnexpectedReplyError(command.slice(0, 200), reply)
    }
    return reply
  }

  /** Sends one line and returns the reply, which begins with `code` (one to three digits). */
  async say(command: string, code: string): Promise<string> {
    this.#socket.write(`${command}\r\n`)
    return this.#expect(command, code)
  }

  /** One transaction; returns the reply to the final dot. Content without the final CRLF dot CRLF. */
  async send(sender: string, recipients: readonly string[], content: string): Promise<string> {
    await this.say(`MAIL FROM:<${sender}>`, '2')
    for (const recipient of recipients) await this.say(`RCPT TO:<${recipient}>`, '2')
    await this.say('DATA', '354')
    return this.say(`${content}\r\n.`, '2')
  }

  /** Says QUIT and closes, whatever the answer. */
  async quit(): Promise<void> {
    await this.say('QUIT', '').catch(() => undefined)
    this.#socket.destroy()
  }

  /** Closes without a word. */
  close(): void {
    this.#socket.destroy()
  }
}
