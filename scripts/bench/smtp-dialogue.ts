/**
 * smtp-dialogue - a client that pipelines, comes from an address of its own, and gives up by a deadline
 *
 * @posthorn/testing/smtp-client says one command at a time; here a thousand recipients leave in one write, as
 * RFC 2920 lets a client do, or the benchmark would measure its own round trips.
 */
import { connect, type Socket } from 'node:net'

export interface DialogueOptions {
  readonly port: number
  /** Loopback address that the connection comes from. */
  readonly from?: string
  /** For each wait. */
  readonly limitMs?: number
}

export class SmtpDialogue {
  readonly #socket: Socket
  readonly #limitMs: number
  readonly #replies: string[] = []
  #pending = ''
  #end: string | undefined
  #wake: (() => void) | undefined

  private constructor(options: DialogueOptions) {
    this.#limitMs = options.limitMs ?? 60_000
    this.#socket = connect({
      port: options.port,
      host: '127.0.0.1',
      ...(options.from === undefined ? {} : { localAddress: options.from }),
    })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk) => {
      this.#take(chunk.toString('latin1'))
    })
    this.#socket.on('error', (error) => (this.#end ??= error.message))
    this.#socket.on('close', () => {
      this.#end ??= 'the server hung up'
      this.#wake?.()
    })
  }

  /** @throws {Error} no connection, or a greeting that is not 220 */
  static async open(options: DialogueOptions): Promise<SmtpDialogue> {
    const dialogue = new SmtpDialogue(options)
    await dialogue.expect(['220'])
    return dialogue
  }

  #take(text: string): void {
    this.#pending += text
    for (;;) {
      const end = this.#pending.indexOf('\r\n')
      if (end < 0) break
      const line = this.#pending.slice(0, end)
      this.#pending = this.#pending.slice(end + 2)
      // A hyphen after the code: the reply goes on.
      if (line[3] !== '-') this.#replies.push(line)
    }
    this.#wake?.()
  }

  /** Reads a reply for each of the codes. @throws {Error} another one came, or none in time */
  async expect(codes: readonly string[]): Promise<void> {
    const deadline = setTimeout(() => {
      this.#socket.destroy(new Error(`no reply within ${this.#limitMs} ms`))
    }, this.#limitMs)
    try {
      for (const code of codes) {
        let reply = this.#replies.shift()
        while (reply === undefined && this.#end === undefined) {
          await new Promise<void>((resolve) => (this.#wake = resolve))
          reply = this.#replies.shift()
        }
        if (reply?.startsWith(code) !== true) {
          throw new Error(`Cannot go on with SMTP server: ${reply ?? this.#end ?? ''}`)
        }
      }
    } catch (error) {
      this.close()
      throw error
    } finally {
      clearTimeout(deadline)
    }
  }

  /** Sends one or more commands in one write, and reads the reply to each. */
  async say(
    commands: string | readonly string[],
    codes: string | readonly string[],
  ): Promise<void> {
    this.#socket.write(`${[commands].flat().join('\r\n')}\r\n`)
    await this.expect([codes].flat())
  }

  /** One message to any number of recipients; resolves at the 250 for its content. */
  async send(recipients: readonly string[], content: string): Promise<void> {
    const envelope = [
      'MAIL FROM:<sender@example.test>',
      ...recipients.map((recipient) => `RCPT TO:<${recipient}>`),
      'DATA',
    ]
    await this.say(envelope, ['250', ...recipients.map(() => '250'), '354'])
    await this.say(`${content}\r\n.`, '250')
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Content of about so many octets, with a subject that says what it is for. */
export function contentOf(subject: string, sizeBytes: number): string {
  const line = `${'X'.repeat(70)}\r\n`
  const lines = line.repeat(Math.ceil(sizeBytes / line.length))
  return `Subject: ${subject}\r\n\r\n${lines}end`
}
