/**
 * session - the state of one SMTP session, and its two voices: replies and log lines
 *
 * Replies are collected and go out in one write when the session next waits for the client, so a pipelined
 * batch is answered in one packet (RFC 2920 3.2). A client with many errors waits for its replies.
 * Log lines name the queue file once there is one, NOQUEUE before. Source: Postfix 3.7.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { quoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import { printable } from '@posthorn/log/printable'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import type { ClientPermissions } from './client-permissions.ts'
import { uncounted } from './client-limits.ts'
import { CommandCounts } from './command-counts.ts'
import type { ForwardedOrigin } from './forwarded-origin.ts'
import type { SessionClient } from './session-client.ts'
import type { BareNewlineMode } from './smtpd-settings.ts'
import type { SmtpdHost } from './smtpd-host.ts'
import type { Transaction } from './transaction.ts'

/** Replies held back at most, octets. */
const PENDING_LIMIT = 4096

let sessionCount = 0

/** Before the client has been looked at. */
const NOTHING_SPECIAL: ClientPermissions = {
  mayXclient: false,
  mayXforward: false,
  mayVerp: false,
  discardedKeywords: new Set(),
}

export class Session {
  readonly host: SmtpdHost
  readonly stream: ByteStream
  readonly isScreened: boolean
  /** XCLIENT makes another one of it. */
  client: SessionClient
  permissions = NOTHING_SPECIAL
  /** What XFORWARD said of the next message. */
  forwarded: ForwardedOrigin | undefined
  readonly counts = new CommandCounts()
  /** What the client does, counted with all its other connections. */
  counter = uncounted
  /** As the client gave it; undefined before HELO and EHLO. */
  helo: string | undefined
  /** What applies to this client; set when it has connected. */
  bareNewline: BareNewlineMode = 'no'
  protocol: 'SMTP' | 'ESMTP' = 'SMTP'
  /** The command being served, or CONNECT, or END-OF-MESSAGE: for log lines. */
  where = 'CONNECT'
  transaction: Transaction | undefined
  /** The recipient being judged, internal form. */
  recipient: string | undefined
  /** BDAT has begun a message, or has failed: until RSET other chunks are thrown away. */
  bdat: 'none' | 'open' | 'failed' = 'none'
  /** The reply that refused this client at the start; smtpd_delay_reject = no. */
  denied: string | undefined
  /** smtpd_delay_reject = no: what the lists before RCPT have deferred, should RCPT be permitted. */
  readonly deferrals: Partial<Record<'client' | 'helo' | 'sender', string | undefined>> = {}
  /** The load balancer in front of us did not say who the client is: the session ends at once. */
  isSpeechless = false
  /** What ETRN asks for, while it is being judged. */
  etrnDomain = ''
  /** How addresses in headers are completed: as for the client that has connected, whatever XCLIENT says. */
  rewriteContext: 'local' | 'remote' = 'remote'
  /** Said once per session: see conversation.ts. */
  hasPipelinedBadly = false
  errorCount = 0
  junkCount = 0
  /** The conversation ends after the replies that are pending. */
  isHangingUp = false
  #isWelcomed = false
  #pending = ''
  #isSlow = false
  readonly #startedAtMs = Date.now()
  readonly #serial = ++sessionCount
  #messageCount = 0

  /** @param isScreened postscreen(8) has passed the client on */
  constructor(host: SmtpdHost, stream: ByteStream, client: SessionClient, isScreened = false) {
    this.host = host
    this.stream = stream
    this.client = client
    this.isScreened = isScreened
  }

  /** Queues a reply of one line or more; code and enhanced code stand in each line as they should appear. */
  reply(...lines: readonly string[]): void {
    const { settings } = this.host
    const footed = this.host.footer === undefined ? lines : this.host.footer.append(this, lines)
    for (const line of footed) {
      const text = printable(settings.isSoftBounce ? softened(line) : line)
      // RFC 5321 3.8: after 421 the server closes; 521 is our own refusal to go on
      if (text.startsWith('421') || text.startsWith('521')) this.isHangingUp = true
      this.#pending += `${text}\r\n`
    }
    if (this.errorCount >= settings.softErrorLimit) this.#isSlow = true
  }

  /** Greets a client that has just connected, or has become another: smtpd_client_restrictions decide. */
  async welcome(isTooEarly?: () => Promise<boolean>): Promise<void> {
    const { policy, permissions, settings } = this.host
    const granted = await permissions.of(this.client)
    // whoever passes mail on as somebody else may go on doing so
    const { mayXforward } = this.#isWelcomed ? this.permissions : granted
    this.permissions = { ...granted, mayXforward }
    if (!this.#isWelcomed) this.rewriteContext = await policy.rewriteContext(this)
    this.#isWelcomed = true
    this.bareNewline = await policy.bareNewlineMode(this.client)
    this.denied = await policy.checkClient(this)
    if ((await isTooEarly?.()) !== true) this.reply(this.denied ?? settings.greeting)
  }

  /** The configuration wants TLS from this client. */
  get needsTls(): boolean {
    return this.host.settings.isTlsRequired && !this.client.isLocalUser
  }

  /** Names this message among all to policy servers: the same for all requests about it. */
  get instance(): string {
    const parts = [process.pid, this.#startedAtMs, this.#serial, this.#messageCount]
    return parts.map((part) => part.toString(16)).join('.')
  }

  get mustSendReplies(): boolean {
    return this.#isSlow || this.#pending.length > PENDING_LIMIT
  }

  /** Hands what is pending to the stream; clients with errors pay smtpd_error_sleep_time here. */
  async sendReplies(): Promise<void> {
    if (this.#pending === '') return
    const replies = this.#pending
    const isSlow = this.#isSlow
    this.#pending = ''
    this.#isSlow = false
    if (isSlow) await sleep(this.host.settings.errorSleepMs)
    this.stream.write(replies)
  }

  get queueName(): string {
    return this.transaction?.queueId ?? 'NOQUEUE'
  }

  /** `from=<S> to=<R> proto=P helo=<H>`, of what is known. */
  get context(): string {
    const words: string[] = []
    const sender = this.transaction?.sender
    if (sender !== undefined) words.push(`from=<${quoteAddress(sender)}>`)
    const recipient = this.recipient ?? this.transaction?.onlyRecipient
    if (recipient !== undefined) words.push(`to=<${quoteAddress(recipient)}>`)
    words.push(`proto=${this.protocol}`)
    if (this.helo !== undefined) words.push(`helo=<${this.helo}>`)
    return words.join(' ')
  }

  /** `ID: reject: RCPT from CLIENT: TEXT; from=...`: what an access decision did. */
  logAction(action: string, text: string): void {
    const shown = this.host.settings.isSoftBounce && action === 'reject' ? softened(text) : text
    log.info(
      `${this.queueName}: ${action}: ${this.where} from ${this.client.label}: ${shown}; ${this.context}`,
    )
  }

  /** Refuses: logs the complete reply and gives it. */
  reject(text: string): void {
    this.logAction('reject', text.slice(0, 510))
    this.reply(text)
  }

  /** Drops the transaction, if there is one: RSET, HELO, EHLO, the end of the session. */
  reset(): void {
    this.transaction?.cancel()
    if (this.transaction !== undefined) this.#messageCount++
    this.transaction = undefined
    this.forwarded = undefined
    this.recipient = undefined
    this.bdat = 'none'
  }
}

/** soft_bounce: a permanent refusal becomes a temporary one, also in its enhanced code. */
function softened(line: string): string {
  if (!/^5\d\d/.test(line)) return line
  return `4${line.slice(1, 4)}${line.slice(4).replace(/^5(?=\.\d+\.\d+)/, '4')}`
}
