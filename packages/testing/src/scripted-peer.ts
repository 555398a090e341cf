/**
 * scripted-peer - an SMTP or LMTP server that says what the test wants, and remembers what it was told
 *
 *     const peer = await ScriptedPeer.start({
 *       extensions: ['PIPELINING', 'SIZE 1000'],
 *       replies: {
 *         'RCPT TO:<full@': '452 4.2.2 mailbox full',
 *         MAIL: ['451 not yet', '250 ok'],   // one after another; the last one stays
 *         DATA: { close: true },             // hangs up instead
 *         '.': { text: '250 queued', delayMs: 50, close: true },
 *       },
 *     })
 *
 * The longest prefix of the command line, ignoring case, decides; '.' is the end of content and 'greeting' the
 * greeting. Without a reply of its own a command gets the usual good one.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export interface ScriptedReply {
  /** Without CRLF at the end; lines of a longer one are separated by CRLF. Undefined: says nothing. */
  text?: string
  delayMs?: number
  /** Hangs up afterwards. */
  close?: boolean
}

export type Reply = string | ScriptedReply
export type Script = Record<
  string,
  Reply | readonly Reply[] | ((line: string, session: PeerSession) => Reply)
>

export interface PeerOptions {
  replies?: Script
  /** Keywords offered in the reply to EHLO or LHLO. */
  extensions?: readonly string[]
  /** One reply for each accepted recipient after the content (RFC 2033). */
  isLmtp?: boolean
  /** Serve a Unix socket instead of TCP. */
  path?: string
  address?: string
  port?: number
}

export interface PeerSession {
  /** Every octet; latin1. */
  received: string
  /** Command lines without CRLF, in order; content is not among them. */
  readonly commands: string[]
  readonly messages: PeerMessage[]
  isClosed: boolean
}

export interface PeerMessage {
  sender: string
  recipients: string[]
  /** As received, dots stuffed, CRLF at every end of line, without the final dot; latin1. */
  content: string
}

const DEFAULT_REPLIES: Record<string, string> = {
  greeting: '220 peer.test ESMTP',
  HELO: '250 peer.test',
  DATA: '354 End data with <CR><LF>.<CR><LF>',
  '.': '250 2.0.0 Ok: queued',
  QUIT: '221 2.0.0 Bye',
}

export class ScriptedPeer {
  readonly sessions: PeerSession[] = []
  readonly #options: PeerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #used = new Map<string, number>()

  private constructor(options: PeerOptions) {
    this.#options = options
    this.#server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => {
      this.#sockets.add(socket)
      const session: PeerSession = { received: '', commands: [], messages: [], isClosed: false }
      this.sessions.push(session)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        session.isClosed = true
        this.#sockets.delete(socket)
      })
      this.#serve(socket, session).catch(() => socket.destroy())
    })
  }

  static async start(options: PeerOptions = {}): Promise<ScriptedPeer> {
    const peer = new ScriptedPeer(options)
    if (options.path === undefined) {
      peer.#server.listen(options.port ?? 0, options.address ?? '127.0.0.1')
    } else peer.#server.listen(options.path)
    await once(peer.#server, 'listening')
    return peer
  }

  get port(): number {
    const bound = this.#server.address()
    if (bound === null || typeof bound === 'string') throw new Error('Cannot tell the port: no TCP')
    return bound.port
  }

  /** All commands of all sessions. */
  get commands(): readonly string[] {
    return this.sessions.flatMap((session) => session.commands)
  }

  get messages(): readonly PeerMessage[] {
    return this.sessions.flatMap((session) => session.messages)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #find(line: string, session: PeerSession): Reply {
    const upper = line.toUpperCase()
    const scripted = Object.entries(this.#options.replies ?? {})
      .filter(([prefix]) => upper.startsWith(prefix.toUpperCase()))
      .sort(([one], [other]) => other.length - one.length)[0]
    if (scripted !== undefined) {
      const [prefix, reply] = scripted
      if (typeof reply === 'function') return reply(line, session)
      if (!isSequence(reply)) return reply
      const uses = this.#used.get(prefix) ?? 0
      this.#used.set(prefix, uses + 1)
      return reply[Math.min(uses, reply.length - 1)] ?? '250 2.0.0 Ok'
    }
    if (/^[EL]HLO/.test(upper)) {
      const lines = ['peer.test', ...(this.#options.extensions ?? [])]
      return lines
        .map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}`)
        .join('\r\n')
    }
    const usual = Object.entries(DEFAULT_REPLIES).find(([prefix]) => line.startsWith(prefix))
    return usual?.[1] ?? '250 2.0.0 Ok'
  }

  /** The code of what was said; '' when nothing was or the connection is gone. */
  async #say(socket: Socket, reply: Reply): Promise<string> {
    const { text, delayMs, close } = typeof reply === 'string' ? { text: reply } : reply
    if (delayMs !== undefined) await pause(delayMs, undefined, { ref: false })
    if (socket.writableEnded) return ''
    if (text !== undefined) socket.write(Buffer.from(`${text}\r\n`, 'latin1'))
    if (close === true) {
      // what the client has still to say is drained, or the kernel would reset the connection
      socket.end()
      return ''
    }
    return text?.split('\r\n').at(-1)?.slice(0, 3) ?? ''
  }

  async #serve(socket: Socket, session: PeerSession): Promise<void> {
    let received = ''
    let sender = ''
    let recipients: string[] = []
    let isContent = false
    if ((await this.#say(socket, this.#find('greeting', session))) === '' && socket.writableEnded) {
      for await (const octets of socket) session.received += (octets as Buffer).toString('latin1')
      return
    }
    for await (const octets of socket) {
      const text = (octets as Buffer).toString('latin1')
      session.received += text
      if (socket.writableEnded) continue
      received += text
      for (;;) {
        if (isContent) {
          const content = received.startsWith('.\r\n') ? '' : contentOf(received)
          if (content === undefined) break
          received = received.slice(content.length + '.\r\n'.length)
          isContent = false
          session.messages.push({ sender, recipients, content })
          const count = this.#options.isLmtp === true ? recipients.length : 1
          for (let reply = 0; reply < count; reply++) {
            await this.#say(socket, this.#find('.', session))
          }
          recipients = []
          continue
        }
        const end = received.indexOf('\r\n')
        if (end < 0) break
        const line = received.slice(0, end)
        received = received.slice(end + 2)
        session.commands.push(line)
        const code = await this.#say(socket, this.#find(line, session))
        const accepted = code.startsWith('2')
        if (/^MAIL FROM:/i.test(line)) {
          sender = line.slice('MAIL FROM:'.length)
          recipients = []
        }
        if (/^RCPT TO:/i.test(line) && accepted) recipients.push(line.slice('RCPT TO:'.length))
        if (/^RSET/i.test(line)) recipients = []
        if (/^DATA/i.test(line) && code.startsWith('3')) isContent = true
        if (/^QUIT/i.test(line)) socket.end()
      }
    }
  }
}

function isSequence(reply: Reply | readonly Reply[]): reply is readonly Reply[] {
  return Array.isArray(reply)
}

/** Up to and including the CRLF before the final dot; undefined while that is not there. */
function contentOf(received: string): string | undefined {
  const end = received.indexOf('\r\n.\r\n')
  return end < 0 ? undefined : received.slice(0, end + 2)
}
