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
 *       tls: { certificate: { names: ['mx.example.test'], validity: 'expired' } },
 *     })
 *
 * The longest prefix of the command line, ignoring case, decides. Without a reply of its own a command gets the usual
 * good one. Keys that are no commands:
 *
 *     greeting     the greeting
 *     .            the end of content
 *     334 ...      the answer to a challenge of AUTH, what the client says after a reply 334
 *     handshake    said to the ClientHello, instead of a handshake
 *     secured      said after the handshake, before any command (under isWrapper: before the greeting)
 *
 * A handshake of TLS that fails while this server is the one to complain may end without an alert (node:tls); a test that
 * wants one writes it: `handshake: { octets: '\x15\x03\x03\x00\x02\x02\x28', close: true }`.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { listenOn } from '@posthorn/native/socket'
import { FullListener } from './full-listener.ts'
import { PeerConnection } from './peer-connection.ts'
import { holdDialogue } from './peer-dialogue.ts'
import type { PeerMessage, PeerOptions, PeerSession, PeerTls, Reply } from './peer-script.ts'
import { issueCertificate } from './test-certificates.ts'

export type {
  PeerMessage,
  PeerOptions,
  PeerSession,
  PeerTls,
  PeerTlsFacts,
  Reply,
  Script,
  ScriptedReply,
} from './peer-script.ts'

const DEFAULT_REPLIES: Record<string, string> = {
  greeting: '220 peer.test ESMTP',
  HELO: '250 peer.test',
  STARTTLS: '220 2.0.0 Ready to start TLS',
  AUTH: '235 2.7.0 Authentication successful',
  '334 *': '501 5.7.0 Authentication cancelled',
  '334 ': '235 2.7.0 Authentication successful',
  DATA: '354 End data with <CR><LF>.<CR><LF>',
  '.': '250 2.0.0 Ok: queued',
  QUIT: '221 2.0.0 Bye',
}

export class ScriptedPeer {
  readonly sessions: PeerSession[] = []
  readonly #options: PeerOptions
  readonly #server: Server
  readonly #secureContext: SecureContext | undefined
  readonly #connections = new Set<PeerConnection>()
  readonly #used = new Map<string, number>()
  #full: FullListener | undefined

  private constructor(options: PeerOptions) {
    this.#options = options
    this.#secureContext = options.tls === undefined ? undefined : secureContextOf(options.tls)
    this.#server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => {
      const connection = new PeerConnection(socket)
      this.#connections.add(connection)
      const session: PeerSession = {
        received: '',
        commands: [],
        tlsCommands: [],
        messages: [],
        isClosed: false,
      }
      this.sessions.push(session)
      socket.on('close', () => {
        session.isClosed = true
        this.#connections.delete(connection)
      })
      holdDialogue(connection, session, {
        options,
        secureContext: this.#secureContext,
        ownReply: (key, session) => this.#ownReply(key, session),
        find: (line, session) => this.#find(line, session),
      }).catch(() => {
        connection.destroy()
      })
    })
  }

  static async start(options: PeerOptions = {}): Promise<ScriptedPeer> {
    const peer = new ScriptedPeer(options)
    const { port = 0, address = '127.0.0.1', path, windowBytes } = options
    if (options.isFull === true) {
      peer.#full = new FullListener(address, port)
      return peer
    }
    if (path !== undefined) peer.#server.listen(path)
    else if (windowBytes === undefined) peer.#server.listen(port, address)
    else {
      const listener = listenOn({ family: 'inet', address, port }, { backlog: 128, windowBytes })
      peer.#server.listen({ fd: listener.release() })
    }
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
    if (this.#full !== undefined) {
      this.#full.close()
      return
    }
    for (const connection of this.#connections) connection.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** What the script has under this very key; the first of several is used up. */
  #ownReply(key: string, session: PeerSession, line = key): Reply | undefined {
    const reply = this.#options.replies?.[key]
    if (reply === undefined) return undefined
    if (typeof reply === 'function') return reply(line.replace(/^334 /, ''), session)
    if (!isSequence(reply)) return reply
    const uses = this.#used.get(key) ?? 0
    this.#used.set(key, uses + 1)
    return reply[Math.min(uses, reply.length - 1)] ?? '250 2.0.0 Ok'
  }

  #find(line: string, session: PeerSession): Reply {
    const upper = line.toUpperCase()
    const key = Object.keys(this.#options.replies ?? {})
      .filter((prefix) => upper.startsWith(prefix.toUpperCase()))
      .sort((one, other) => other.length - one.length)[0]
    const own = key === undefined ? undefined : this.#ownReply(key, session, line)
    if (own !== undefined) return own
    if (/^[EL]HLO/i.test(line)) {
      const lines = ['peer.test', ...this.#offered(session)]
      return lines
        .map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}`)
        .join('\r\n')
    }
    const usual = Object.entries(DEFAULT_REPLIES).find(([prefix]) => line.startsWith(prefix))
    return usual?.[1] ?? '250 2.0.0 Ok'
  }

  #offered(session: PeerSession): readonly string[] {
    const { extensions = [], tls } = this.#options
    if (tls === undefined) return extensions
    if (session.tls !== undefined) return tls.extensions ?? extensions
    return [...extensions, 'STARTTLS']
  }
}

function secureContextOf(tls: PeerTls): SecureContext {
  const { certificate = {} } = tls
  const { key, cert } = certificate === false ? {} : issueCertificate(certificate)
  return createSecureContext({ sessionIdContext: 'scripted-peer', key, cert, ...tls })
}

function isSequence(reply: Reply | readonly Reply[]): reply is readonly Reply[] {
  return Array.isArray(reply)
}
