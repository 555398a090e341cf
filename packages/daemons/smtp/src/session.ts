/**
 * session - one connection to a server, new or from the cache
 *
 * Holds the stream and what was learnt about the server. Knows when the connection may serve another delivery, and
 * where the dialogue stands, for the text of a failure.
 */
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { EndOfStreamError, StreamTimeoutError } from '@posthorn/stream/byte-stream'
import { log } from '@posthorn/log/log'
import { SystemError } from '@posthorn/native/system-error'
import type { TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import { localFailure, type Failure } from './failure.ts'
import { FEATURES } from './features.ts'
import { readReply, type Reply } from './reply-parser.ts'
import { describeEndpoint, describeHost, type ServerHost } from './server-host.ts'

/** 'cacheable' until the deadline; 'spent': not for another delivery; 'throttled': the server is unusable. */
export type SessionFate = 'cacheable' | 'spent' | 'throttled'

/** Where the connection came from: our own idle connections are watched, those of scache(8) are probed. */
export type SessionOrigin = 'new' | 'ownCache' | 'sharedCache'

/** In words of notify_classes. */
export type SessionTrouble = 'protocol' | 'data'

export interface SessionStart {
  stream: ByteStream
  host: ServerHost
  /** The next-hop that led here, as written. */
  nexthop: string
  origin: SessionOrigin
  features: number
  /** TLS_LEVELS: what was asked for. */
  tlsLevel: number
  /** What came of it; undefined: plaintext. */
  tlsContext?: TlsContext | undefined
  fate: SessionFate
  /** After this time it serves no other delivery; counts while `fate` is cacheable. */
  reuseUntilMs: number
  reuseCount: number
}

export interface SessionRules {
  queueId: string
  isLmtp: boolean
  lineLimit: number
  allowsUtf8: boolean
  reuseCountLimit: number
  hasHelpfulWarnings: boolean
  hasRequestDeadline: boolean
  /** What is said is remembered, for a notice to the postmaster. */
  keepsTranscript: boolean
  replyFilter: ((line: string) => Promise<string | undefined>) | undefined
}

export class Session {
  readonly stream: ByteStream
  readonly host: ServerHost
  readonly nexthop: string
  readonly origin: SessionOrigin
  readonly tlsLevel: number
  /** TLS_LEVELS: as policy has it, also where the session goes without because TLS has failed before. */
  wantedTlsLevel: number
  /** It is known whether this session has TLS. */
  isTlsSettled: boolean
  /** Trouble with TLS is a reason to try the same server without. */
  allowsPlainRetry = false
  /** The connection is encrypted. */
  tlsContext: TlsContext | undefined
  /** It failed because of TLS, or under TLS: the same server is next, without. */
  isPlainNext = false
  /** How many deliveries it served after the first one. */
  readonly reuseCount: number
  readonly reuseUntilMs: number
  features: number
  fate: SessionFate
  /** What the server accepts at most, in octets; 0 = not known. */
  sizeLimit = 0
  /** What it calls itself in its answer to EHLO; '': it has not said so. */
  serverName = ''
  /** The message wants REQUIRETLS said, where the server offers it under TLS. */
  asksForRequireTls = false
  /** SASL mechanisms that the server offers. */
  authWords: readonly string[] = []
  /** Words after "while": `sending MAIL FROM`. */
  stage = ''
  /** The stream failed, or nothing may be said any more: not even QUIT. */
  isBroken = false
  /** The server answered something in this delivery: an idle connection has proved alive. */
  hasAnswered = false
  /** Lines as in a notice to the postmaster; undefined: nobody wants one. */
  readonly transcript: string[] | undefined
  /** What was wrong, in words of notify_classes. */
  readonly troubles = new Set<SessionTrouble>()
  /** Of the last reply, or of content that was written since. */
  lastIoMs = Date.now()
  /** What is said is logged. */
  isDebugged = false
  readonly #rules: SessionRules

  constructor(start: SessionStart, rules: SessionRules) {
    this.stream = start.stream
    this.host = start.host
    this.nexthop = start.nexthop
    this.origin = start.origin
    this.tlsLevel = start.tlsLevel
    this.wantedTlsLevel = start.tlsLevel
    this.isTlsSettled = start.origin !== 'new'
    this.tlsContext = start.tlsContext
    this.reuseCount = start.reuseCount
    this.reuseUntilMs = start.reuseUntilMs
    this.features = start.features
    this.fate = start.fate
    this.#rules = rules
    this.transcript = rules.keepsTranscript ? [] : undefined
  }

  /** `H[A]` */
  get hostText(): string {
    return describeHost(this.host)
  }

  /** `H[A]:P` */
  get endpointText(): string {
    return describeEndpoint(this.host)
  }

  has(feature: number): boolean {
    return (this.features & feature) !== 0
  }

  /** It could be kept, but has served long or often enough. */
  get isExpired(): boolean {
    if (this.fate !== 'cacheable') return false
    const { reuseCountLimit } = this.#rules
    return (
      this.reuseUntilMs < this.lastIoMs ||
      (reuseCountLimit > 0 && this.reuseCount >= reuseCountLimit)
    )
  }

  /** No other delivery, unless it is worse already. */
  spend(): void {
    if (this.fate === 'cacheable') this.fate = 'spent'
  }

  /** The server does not speak SMTP: no other delivery, and the postmaster may want to know. */
  distrust(): void {
    this.spend()
    this.troubles.add('protocol')
  }

  /** What comes next takes at most `timeoutMs`; `stage` names it. */
  begin(stage: string, timeoutMs: number): void {
    this.stage = stage
    this.stream.timeoutMs = timeoutMs
    this.stream.deadlineMs = this.#rules.hasRequestDeadline ? Date.now() + timeoutMs : 0
  }

  /**
   * Queued; goes out with the next readReply(). One line, whatever addresses are in it: a CR or LF would begin a command
   * of somebody else's choice, so it becomes a blank. `shown`: for logs and notices, when the command has secrets in it.
   */
  send(command: string, shown?: string): void {
    const line = command.replace(/[\r\n\0]/g, ' ')
    this.transcript?.push(`Out: ${shown ?? line}`)
    if (this.isDebugged) log.info(`> ${this.endpointText}: ${shown ?? line}`)
    this.stream.write(`${line}\r\n`)
  }

  /** @throws {EndOfStreamError | StreamTimeoutError | SystemError} see failureOf() */
  async readReply(): Promise<Reply> {
    const { lineLimit, allowsUtf8, replyFilter, queueId, isLmtp, hasHelpfulWarnings } = this.#rules
    // a server that answers before it is asked: it is asked all the same, or a message would count as sent that was not
    if (this.stream.unwritten > 0 && this.stream.buffered !== '') await this.stream.flush()
    const reply = await readReply(this.stream, {
      peer: this.endpointText,
      lineLimit,
      allowsUtf8,
      filter: replyFilter,
      transcript: this.transcript,
      isDebugged: this.isDebugged,
      garbage: (line) => {
        if (!this.has(FEATURES.pipelining)) return
        const kind = isLmtp ? 'non-LMTP' : 'non-ESMTP'
        log.warning(`${queueId}: ${kind} response from ${this.endpointText}: ${line}`)
        if (!hasHelpfulWarnings) return
        log.warning(
          `to prevent loss of mail, turn off command pipelining for ${this.host.address} ` +
            'with the smtp_discard_ehlo_keyword_address_maps parameter',
        )
      },
    })
    if (reply.isGarbage) this.distrust()
    this.hasAnswered = true
    this.lastIoMs = Date.now()
    return reply
  }

  /**
   * The failure that an exception of the dialogue means. The connection serves no other delivery; it can still be said
   * QUIT to when the fault is ours.
   *
   * @throws the error itself when it has nothing to do with the peer
   */
  failureOf(error: unknown): Failure {
    this.spend()
    if (error instanceof LocalDataError) {
      log.warning(`${this.#rules.queueId}: ${error.message}`)
      this.troubles.add('data')
      return localFailure('4.3.0', `local data error while talking to ${this.hostText}`)
    }
    this.isBroken = true
    if (error instanceof StreamTimeoutError) {
      return localFailure(
        '4.4.2',
        `conversation with ${this.hostText} timed out while ${this.stage}`,
      )
    }
    if (error instanceof EndOfStreamError || error instanceof SystemError) {
      return localFailure('4.4.2', `lost connection with ${this.hostText} while ${this.stage}`)
    }
    throw error
  }
}

/** A lookup table that the dialogue needs could not be asked. The message is for the log. */
export class LocalDataError extends Error {
  readonly code = 'POSTHORN_LOCAL_DATA'
}
