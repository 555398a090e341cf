/**
 * conversation-reader - reads what both sides of an SMTP or LMTP conversation wrote, and says which reply belongs to what
 *
 *     exchange     client                        server
 *     opening                                    220 peer.test ESMTP
 *     command      MAIL FROM:<a@b>               250 Ok
 *     command      DATA                          354 go on
 *     text         the message and its dot       250 Ok                 LMTP: a reply for each recipient
 *     chunk        BDAT 4 and so many octets     250 Ok                 the last one in LMTP: the same
 *
 * Replies belong to requests in their order, whenever they come: that is all that SMTP has (RFC 2920 3.1). Is made from the
 * RFCs, and shares nothing with the client. Where RFC 5321 4.2 leaves a reply undefined it reads as the client is documented to
 * (reply-parser.ts): a line that is no reply is text of the reply that follows, the last line has the code, a NUL ends a line.
 */
export interface Exchange {
  readonly kind: 'opening' | 'command' | 'text' | 'chunk'
  /** The command line; '' for opening and text. */
  readonly line: string
  /** As the server has it: dots unstuffed. */
  readonly content: string
  /** How many replies it has to get. */
  readonly wanted: number
  /** Codes of those that came. */
  readonly codes: number[]
}

/** More than the client reads of one reply. */
const REPLY_OCTETS_LIMIT = 1_000_000

export class ConversationReader {
  readonly exchanges: Exchange[] = []
  /** Codes of replies that nobody has asked for so far. */
  readonly surplus: number[] = []
  readonly #isLmtp: boolean
  #clientOctets = ''
  /** Of these octets so many are known not to hold the end of the text. */
  #searched = 0
  #serverOctets = ''
  #replyOctets = 0
  /** Exchanges that have all their replies. */
  #answered = 0
  /** Of the transaction in progress. */
  #mail: Exchange | undefined
  #recipients: Exchange[] = []

  constructor(isLmtp: boolean) {
    this.#isLmtp = isLmtp
    this.#add('opening', '', '', 1)
  }

  /** The client is in the middle of a message. */
  get isInText(): boolean {
    const last = this.exchanges.at(-1)
    return last !== undefined && opensText(last)
  }

  client(octets: string): void {
    this.#clientOctets += octets
    this.#readClient()
  }

  server(octets: string): void {
    this.#serverOctets += octets
    for (;;) {
      if (this.#serverOctets === '') break
      const end = this.#serverOctets.indexOf('\n')
      const length = end < 0 ? this.#serverOctets.length : end + 1
      if (this.#replyOctets + length > REPLY_OCTETS_LIMIT) this.#replyOctets = Infinity
      if (end < 0 || this.#replyOctets === Infinity) break
      this.#replyOctets += length
      const line = this.#serverOctets.slice(0, end)
      this.#serverOctets = this.#serverOctets.slice(length)
      const code = codeOf(line)
      if (code === undefined) continue
      this.#replyOctets = 0
      this.surplus.push(code)
      this.#pair()
    }
    this.#readClient()
  }

  #pair(): void {
    while (this.surplus.length > 0) {
      const exchange = this.exchanges[this.#answered]
      if (exchange === undefined) return
      exchange.codes.push(...this.surplus.splice(0, exchange.wanted - exchange.codes.length))
      if (exchange.codes.length === exchange.wanted) this.#answered += 1
    }
  }

  #readClient(): void {
    while (this.#readOne());
  }

  /** False: something is missing. */
  #readOne(): boolean {
    const last = this.exchanges.at(-1)
    if (last?.line.toUpperCase() === 'DATA' && last.codes.length === 0) return false
    if (last !== undefined && opensText(last)) return this.#readText()
    const end = this.#clientOctets.indexOf('\r\n')
    if (end < 0) return false
    const line = this.#clientOctets.slice(0, end)
    const [, count, isLast] = /^BDAT (\d+)( LAST)?$/i.exec(line) ?? []
    if (count === undefined) {
      this.#clientOctets = this.#clientOctets.slice(end + 2)
      this.#addCommand(line)
      return true
    }
    const start = end + 2
    if (this.#clientOctets.length < start + Number(count)) return false
    const content = this.#clientOctets.slice(start, start + Number(count))
    this.#clientOctets = this.#clientOctets.slice(start + Number(count))
    this.#add('chunk', line, content, isLast === undefined ? 1 : this.#finalReplies)
    return true
  }

  #readText(): boolean {
    const octets = this.#clientOctets
    const end = octets.startsWith('.\r\n') ? 0 : octets.indexOf('\r\n.\r\n', this.#searched) + 2
    this.#searched = end === 1 ? Math.max(0, octets.length - 4) : 0
    if (end === 1) return false
    const stuffed = octets.slice(0, end)
    const content = stuffed.startsWith('.') ? stuffed.slice(1) : stuffed
    this.#clientOctets = octets.slice(end + 3)
    this.#add('text', '', content.replaceAll('\r\n.', '\r\n'), this.#finalReplies)
    return true
  }

  #addCommand(line: string): void {
    const exchange = this.#add('command', line, '', 1)
    if (/^(?:MAIL FROM:|RSET|[EL]HLO|HELO)/i.test(line)) {
      this.#recipients = []
      this.#mail = /^MAIL/i.test(line) ? exchange : undefined
    } else if (/^RCPT TO:/i.test(line)) this.#recipients.push(exchange)
  }

  #add(kind: Exchange['kind'], line: string, content: string, wanted: number): Exchange {
    const exchange: Exchange = { kind, line, content, wanted, codes: [] }
    this.exchanges.push(exchange)
    this.#pair()
    return exchange
  }

  /** RFC 2033 4.2 */
  get #finalReplies(): number {
    if (!this.#isLmtp || !isPositive(this.#mail?.codes[0])) return 1
    return Math.max(1, this.#recipients.filter(({ codes }) => isPositive(codes[0])).length)
  }
}

export function isPositive(code: number | undefined): boolean {
  return code !== undefined && code >= 200 && code <= 299
}

function opensText({ line, codes }: Exchange): boolean {
  const [code = 0] = codes
  return line.toUpperCase() === 'DATA' && code >= 300 && code <= 399
}

/** Of a last line; undefined: the reply goes on. */
function codeOf(line: string): number | undefined {
  const [text = ''] = line.replace(/\r*$/, '').split('\0', 1)
  const [, code] = /^(\d{3})(?: |$)/.exec(text) ?? []
  return code === undefined ? undefined : Number(code)
}
