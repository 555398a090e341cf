/**
 * smtp-sink - an SMTP server that accepts everything and keeps it
 */
import { ScriptedPeer, type PeerMessage, type PeerOptions } from './scripted-peer.ts'
import { waitFor } from './wait-for.ts'

export class SmtpSink {
  readonly #peer: ScriptedPeer

  private constructor(peer: ScriptedPeer) {
    this.#peer = peer
  }

  static async start(options: PeerOptions = {}): Promise<SmtpSink> {
    const extensions = ['PIPELINING', 'SIZE 10240000', '8BITMIME', 'DSN', 'SMTPUTF8']
    return new SmtpSink(await ScriptedPeer.start({ extensions, ...options }))
  }

  get port(): number {
    return this.#peer.port
  }

  get connections(): number {
    return this.#peer.sessions.length
  }

  get messages(): readonly PeerMessage[] {
    return this.#peer.messages
  }

  /** The messages, once there are `count` of them. @throws {Error} not in `timeoutMs` */
  async waitForMessages(count: number, timeoutMs = 10_000): Promise<readonly PeerMessage[]> {
    await waitFor(() => this.messages.length >= count, `${count} messages`, timeoutMs)
    return this.messages
  }

  async close(): Promise<void> {
    await this.#peer.close()
  }
}
