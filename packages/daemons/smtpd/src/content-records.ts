/**
 * content-records - turns message content into records for cleanup(8)
 *
 * One `N` record per line, without its line end; a line that reaches the limit is `L` records and a last `N`. Works
 * on whatever chunk has arrived, looking for LF only: no work per character, no string per line that is not
 * part of the output.
 *   - dot-stuffing is undone (RFC 5321 4.5.2), for DATA; BDAT has none
 *   - a first line that begins with a blank gets an empty line before it, so that it does not continue our
 *     Received: header; a leading mailbox separator ("From ") becomes a header
 *   - bare LF: 'no' takes it as a line end and `.` LF as the end; 'normalize' takes it as a line end, but the
 *     end must be CR LF . CR LF, and other lone dots are dropped; 'reject' likewise, and remembers
 * Source: Postfix 3.7 smtpd(8).
 */
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import type { BareNewlineMode } from './smtpd-settings.ts'

export interface ContentRules {
  /** line_length_limit */
  lineLimit: number
  /** message_size_limit; 0 = none. */
  sizeLimit: number
  bareNewline: BareNewlineMode
}

const DOT = 46
const CR = 13
const BLANK = 32
const TAB = 9

/** Heads of the records whose length fits into one or two octets: type and length. */
const LINE_HEADS: readonly string[] = Array.from({ length: 1024 }, (_, length) =>
  encodeRecord(RECORD.line, ' '.repeat(length)).slice(0, length < 128 ? 2 : 3),
)

export class ContentRecords {
  readonly #rules: ContentRules
  readonly #takesAllCr: boolean
  #records = ''
  #isFirst = true
  /** In the middle of a line that is longer than the limit. */
  #isMiddle = false
  #hadCrLf = true
  /** Octets of content so far, two for the end of each line and of each piece of a long one. */
  octets = 0
  isOversize = false
  /** A line ended with LF alone. */
  hasBareLf = false
  /** The lone dot was seen. */
  isAtEnd = false

  /** `headers` are records that go before the content, in one piece with its first ones. */
  constructor(rules: ContentRules, headers = '') {
    this.#rules = rules
    this.#records = headers
    this.#takesAllCr = rules.bareNewline === 'no'
  }

  /** What was made since the last call. Nothing more is made once the message is oversize. */
  takeRecords(): string {
    const records = this.#records
    this.#records = ''
    return this.isOversize ? '' : records
  }

  /** Takes DATA content from the start of `text`; returns how many octets were used. The rest is the start of a line. */
  pushData(text: string): number {
    let at = 0
    for (;;) {
      const lf = text.indexOf('\n', at)
      if (lf < 0) return this.#pushLongLine(text, at)
      const end = this.#lineEnd(text, at, lf)
      const isCrLf = end < lf
      if (!isCrLf) this.hasBareLf = true
      if (!this.#isMiddle && text.charCodeAt(at) === DOT) {
        if (end === at + 1) {
          const isStandard = isCrLf && this.#hadCrLf
          this.#hadCrLf = isCrLf
          if (this.#takesAllCr || isStandard) {
            this.isAtEnd = true
            return lf + 1
          }
        } else {
          this.#pushLine(text, at + 1, end)
        }
      } else {
        this.#pushLine(text, at, end)
      }
      this.#hadCrLf = isCrLf
      at = lf + 1
    }
  }

  /** Takes lines of a BDAT chunk; at its last octet of the last chunk an unfinished line counts as finished. */
  pushChunk(text: string, isLast: boolean): number {
    let at = 0
    for (;;) {
      const lf = text.indexOf('\n', at)
      if (lf < 0) break
      const end = this.#lineEnd(text, at, lf)
      if (end === lf) this.hasBareLf = true
      this.#pushLine(text, at, end)
      at = lf + 1
    }
    at = this.#pushLongLine(text, at)
    if (isLast && (at < text.length || this.#isMiddle)) {
      this.#pushLine(text, at, text.length)
      at = text.length
    }
    return at
  }

  /** All CRs before LF go; only one when bare LF matters. */
  #lineEnd(text: string, start: number, lf: number): number {
    let end = lf
    if (this.#takesAllCr) while (end > start && text.charCodeAt(end - 1) === CR) end--
    else if (end > start && text.charCodeAt(end - 1) === CR) end--
    return end
  }

  /** Octets without LF: what can be no line within the limit goes out; two octets stay, they may be CR LF. */
  #pushLongLine(text: string, start: number): number {
    let at = start
    while (text.length - at > this.#rules.lineLimit + 2) {
      if (!this.#isMiddle && text.charCodeAt(at) === DOT) at++
      at = this.#pushPart(text, at)
    }
    return at
  }

  #pushPart(text: string, at: number): number {
    const end = at + this.#rules.lineLimit
    if (this.#isFirst) this.#begin(text, at)
    if (this.#grow(this.#rules.lineLimit + 2)) {
      this.#records += encodeRecord(RECORD.part, text.slice(at, end))
    }
    this.#isMiddle = true
    return end
  }

  #pushLine(text: string, start: number, end: number): void {
    let at = start
    while (end - at >= this.#rules.lineLimit) at = this.#pushPart(text, at)
    if (this.#isFirst && this.#isSeparator(text, at, end)) return
    const length = end - at
    this.#isMiddle = false
    if (!this.#grow(length + 2)) return
    const head = LINE_HEADS[length]
    this.#records +=
      head === undefined
        ? encodeRecord(RECORD.line, text.slice(at, end))
        : head + text.slice(at, end)
  }

  /** True when the line was a mailbox separator and has been written as a header. */
  #isSeparator(text: string, at: number, end: number): boolean {
    const line = text.slice(at, Math.min(end, at + this.#rules.lineLimit))
    if (!/^>*From /.test(line)) {
      this.#begin(text, at)
      return false
    }
    if (this.#grow(line.length + 2)) {
      this.#records += encodeRecord(RECORD.line, `X-Mailbox-Line: ${line}`)
    }
    return true
  }

  #begin(text: string, at: number): void {
    this.#isFirst = false
    const first = text.charCodeAt(at)
    if (first === BLANK || first === TAB) this.#records += encodeRecord(RECORD.line)
  }

  /** False when the message has grown beyond the limit. */
  #grow(octets: number): boolean {
    const limit = this.#rules.sizeLimit
    if (limit > 0 && this.octets + octets > limit) this.isOversize = true
    if (this.isOversize) return false
    this.octets += octets
    return true
  }
}
