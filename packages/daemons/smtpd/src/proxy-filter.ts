/**
 * proxy-filter - a content filter before the queue (smtpd_proxy_filter): the message goes through it, not to cleanup(8)
 *
 *     client ──▶ smtpd ──SMTP──▶ filter ──SMTP──▶ another smtpd ──▶ cleanup
 *
 * The client's MAIL and RCPT commands are repeated as they were, XFORWARD says who the client is, and the filter's reply
 * to the end of the message is the client's. Whatever goes wrong with the filter itself makes the client come again.
 *
 * Trusts: the filter to judge; not to answer in time, or in form.
 * Limits: smtpd_proxy_timeout for each wait; REPLY_LIMIT octets of a reply.
 * Source: Postfix 3.7 SMTPD_PROXY_README.
 */
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { parseRecord, RECORD } from '@posthorn/queue/record'
import {
  connectStream,
  EndOfStreamError,
  StreamTimeoutError,
  type ByteStream,
} from '@posthorn/stream/byte-stream'
import { escapeText } from './escape-text.ts'
import { endpointTitle, findEndpoint, type Endpoint } from './service-endpoint.ts'
import type { Session } from './session.ts'
import { encodeClientAttributes } from './xforward-command.ts'

/** The client must come again: the filter could not take the message. */
const TROUBLE = '451 4.3.0 Error: queue file write error'
const REPLY_LIMIT = 16_384

export interface ProxyFilterSettings {
  readonly name: string
  readonly endpoint: Endpoint
  readonly timeoutMs: number
  /** smtpd_proxy_ehlo */
  readonly helo: string
}

/** What the filter has said: a complete reply, all its lines. */
export type FilterReply = readonly string[]

export function isAccepted(reply: FilterReply): boolean {
  return /^[23]/.test(reply[0] ?? '')
}

export class ProxyFilter {
  readonly #title: string
  readonly #stream: ByteStream
  #isLineStart = true
  #isOver = false

  private constructor(title: string, stream: ByteStream) {
    this.#title = title
    this.#stream = stream
  }

  /** Connects and begins the message with the client's MAIL command. The reply when that does not succeed. */
  static async open(
    settings: ProxyFilterSettings,
    session: Session,
    mail: string,
  ): Promise<ProxyFilter | FilterReply> {
    const title = endpointTitle(settings.name)
    let stream: ByteStream
    try {
      const { timeoutMs } = settings
      stream = await connectStream(await findEndpoint(settings.endpoint), { timeoutMs })
    } catch (error) {
      log.warning(`connect to proxy filter ${title}: ${errorReason(error)}`)
      return [TROUBLE]
    }
    const filter = new ProxyFilter(title, stream)
    const refusal = await filter.#begin(settings.helo, session, mail)
    if (refusal === undefined) return filter
    filter.close()
    return refusal
  }

  async #begin(helo: string, session: Session, mail: string): Promise<FilterReply | undefined> {
    const greeting = await this.#checked('connection request', async () => this.#readReply())
    if (!isAccepted(greeting)) return [TROUBLE]
    const features = await this.command(`EHLO ${helo}`)
    if (!isAccepted(features)) return [TROUBLE]
    const announced = features.map((line) => /^\d{3}[- ]XFORWARD (.*)$/i.exec(line)?.[1])
    const names = announced
      .find((line) => line !== undefined)
      ?.toUpperCase()
      .split(' ')
    if (names !== undefined) {
      for (const line of encodeClientAttributes(session, names)) {
        if (!isAccepted(await this.command(line))) return [TROUBLE]
      }
    }
    const reply = await this.command(mail)
    return isAccepted(reply) ? undefined : reply
  }

  /** Says a command and gives the reply, logged when it is a refusal. */
  async command(line: string): Promise<FilterReply> {
    return this.#checked(line, async () => {
      this.#stream.write(`${line}\r\n`)
      return this.#readReply()
    })
  }

  /** Content, as records; others are of no interest to a filter. */
  send(records: string): void {
    let text = ''
    for (let at = 0; at < records.length;) {
      const record = parseRecord(records, at)
      if (record === undefined) break
      at = record.end
      if (record.type !== RECORD.line && record.type !== RECORD.part) continue
      // RFC 5321 4.5.2
      if (this.#isLineStart && record.payload.startsWith('.')) text += '.'
      text += record.payload
      this.#isLineStart = record.type === RECORD.line
      if (this.#isLineStart) text += '\r\n'
    }
    if (text !== '' && !this.#isOver) this.#stream.write(text)
  }

  /** A filter slower than the network must not fill our memory. */
  async ready(): Promise<void> {
    if (this.#isOver) return
    try {
      await this.#stream.flush()
    } catch (error) {
      this.#complain(error)
    }
  }

  /** The end of the content; what the filter says to it. */
  async finish(): Promise<FilterReply> {
    const reply = await this.#checked(undefined, async () => {
      this.#stream.write('.\r\n')
      return this.#readReply()
    })
    this.close()
    return reply
  }

  /** Takes leave in the middle of content, where a filter listens to no command. */
  cancel(): void {
    this.#isOver = true
    this.#stream.close()
  }

  /** Takes leave; nobody waits for the answer. */
  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stream.write('QUIT\r\n')
    this.#stream.end().catch(() => undefined)
  }

  async #checked(
    command: string | undefined,
    ask: () => Promise<FilterReply>,
  ): Promise<FilterReply> {
    if (this.#isOver) return [TROUBLE]
    try {
      const reply = await ask()
      if (command !== undefined && !isAccepted(reply)) {
        log.warning(`proxy ${this.#title} rejected "${command}": "${reply.join('\r\n')}"`)
      }
      return reply
    } catch (error) {
      this.#complain(error)
      return [TROUBLE]
    }
  }

  #complain(error: unknown): void {
    const text =
      error instanceof StreamTimeoutError
        ? `timeout talking to proxy ${this.#title}`
        : error instanceof GarbageError
          ? `received garbage from proxy ${this.#title}: ${error.message}`
          : `lost connection with proxy ${this.#title}`
    if (!(error instanceof EndOfStreamError || error instanceof Error)) throw error
    log.warning(text)
    this.cancel()
  }

  async #readReply(): Promise<FilterReply> {
    const lines: string[] = []
    for (let octets = 0; octets < REPLY_LIMIT;) {
      const line = await this.#stream.readUntil('\r\n', REPLY_LIMIT)
      octets += line.length
      const mark = /^[2-5]\d\d([- ]|$)/.exec(line)?.[1]
      if (mark === undefined) throw new GarbageError(escapeText(line.slice(0, 100)))
      lines.push(line)
      if (mark !== '-') return lines
    }
    throw new GarbageError('reply too long')
  }
}

/** The filter speaks no SMTP. */
class GarbageError extends SyntaxError {
  readonly code = 'POSTHORN_PROXY_FILTER'
}
