/**
 * body-stage - what follows the primary headers
 *
 * An ordinary body passes through as the records that came in, in whole runs (RecordInput.takeText); only lines with a
 * stray CR or LF are written anew. Where something must be looked at (body checks, characters to strip, MIME parts) lines
 * are taken one at a time. In MIME messages only the headers of parts and attached messages are: there too, `Name :`
 * becomes `Name:`, and a Content-Transfer-Encoding of 8bit makes the message 8bit.
 *
 * Text that ends without a line end gets one.
 *
 * Limits: header_size_limit octets of a part's header, the rest is cut; body text is never cut.
 * Source: Postfix 3.7 cleanup(8), body_checks(5).
 */
import { isAscii } from '@posthorn/address/split-address'
import { normalizeHeaderName } from '@posthorn/message/header-line'
import type { HeaderSection, MimeScanner } from '@posthorn/message/mime-scanner'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import type { CleanupContext } from './cleanup-context.ts'
import { cutHeader } from './cut-header.ts'
import { encodeHeader, encodeLine } from './encode-line.ts'
import type { Inspector } from './inspector.ts'
import type { LineFilter } from './line-filter.ts'
import type { Message } from './message.ts'
import type { MimeRules } from './mime-rules.ts'
import { noteEncoding } from './note-encoding.ts'
import type { RecordInput } from './record-input.ts'
import { refuseRecord } from './refuse-record.ts'
import type { Stage, StepResult } from './stage.ts'

export interface BodyParts {
  /** Absent when no later line can matter to MIME. */
  readonly mime: MimeScanner | undefined
  readonly inspector: Inspector | undefined
  readonly rules: MimeRules
  readonly filter: LineFilter
  readonly extracted: () => Stage
}

export class BodyStage implements Stage {
  readonly #message: Message
  readonly #context: CleanupContext
  readonly #parts: BodyParts
  /** Every line is looked at. */
  readonly #isCareful: boolean
  #isMidLine = false
  /** The first line, when it came instead of the empty line. */
  #inserted: string | undefined
  /** A header of a part, lines separated by LF. */
  #header = ''
  #section: HeaderSection | undefined

  constructor(message: Message, context: CleanupContext, parts: BodyParts) {
    this.#message = message
    this.#context = context
    this.#parts = parts
    this.#section = parts.mime?.section
    this.#isCareful =
      parts.inspector?.wantsBody === true || parts.filter.looksAtBody || parts.rules.looksAtBody
    if (parts.mime !== undefined) parts.rules.structure(parts.mime)
  }

  /** Text that stood where the empty line should be. */
  insert(line: string): void {
    this.#inserted = line
  }

  step(input: RecordInput): StepResult | Promise<StepResult> {
    if (this.#inserted !== undefined) {
      const line = this.#inserted
      this.#inserted = undefined
      return this.#line(line, RECORD.line, undefined) ?? 'again'
    }
    this.#passThrough(input)
    if (!input.next()) return 'more'
    const { type } = input
    if (type !== RECORD.line && type !== RECORD.part) {
      input.back()
      return this.#end(input)
    }
    const payload = input.payload()
    const line = this.#parts.filter.body(this.#message, payload)
    if (this.#message.isBroken) return 'again'
    return this.#line(line, type, this.#asItCame(line, payload, input)) ?? 'again'
  }

  /** The record itself, when it says just this and is not too long. */
  #asItCame(line: string, payload: string, input: RecordInput): string | undefined {
    const isGood = line === payload && payload.length <= this.#context.settings.lineLimit
    return isGood ? input.octets() : undefined
  }

  #passThrough(input: RecordInput): void {
    const { mime } = this.#parts
    if (this.#isCareful || this.#section !== undefined) return
    const text = input.takeText({
      isMidLine: this.#isMidLine,
      stopsAtDashes: mime?.hasOpenBoundary === true,
      lineLimit: this.#context.settings.lineLimit,
    })
    if (text.octets === '') return
    this.#message.writer.append(text.octets)
    this.#isMidLine = text.isMidLine
  }

  /** @param octets the record, when it says just this */
  #line(line: string, type: string, octets: string | undefined): Promise<StepResult> | undefined {
    const { mime, inspector } = this.#parts
    const beginsLine = !this.#isMidLine
    this.#isMidLine = type === RECORD.part
    if (mime !== undefined && beginsLine) {
      const wasHeader = this.#header
      const kind = mime.line(line)
      const section = this.#section
      this.#section = mime.section
      this.#parts.rules.structure(mime)
      if (kind === 'continuation') {
        this.#addToHeader(`\n${line}`)
        return undefined
      }
      const ended = wasHeader === '' ? undefined : this.#endHeader(section)
      if (kind === 'header') {
        this.#header = line
        return ended
      }
      if (kind === 'separator') inspector?.beginSegment()
      const write = (): Promise<StepResult> | undefined => {
        const waiting = this.#text(line, type, octets)
        // The boundary belongs to what it ends.
        if (kind === 'boundary') inspector?.beginSegment()
        return waiting
      }
      return ended === undefined ? write() : ended.then(async () => (await write()) ?? 'again')
    } else if (this.#header !== '') {
      this.#addToHeader(line) // the rest of a long header line
      return undefined
    }
    return this.#text(line, type, octets)
  }

  #addToHeader(text: string): void {
    if (this.#header.length <= this.#context.settings.headerSizeLimit) this.#header += text
  }

  #text(line: string, type: string, octets: string | undefined): Promise<StepResult> | undefined {
    const { inspector } = this.#parts
    this.#parts.rules.body(line, this.#parts.mime?.encoding ?? '7bit')
    if (this.#message.isBroken) return undefined
    if (inspector?.wantsBody === true) return this.#inspect(inspector, line, type)
    this.#message.writer.append(octets ?? encodeLine(line, this.#context.settings.lineLimit, type))
    return undefined
  }

  async #inspect(inspector: Inspector, line: string, type: string): Promise<StepResult> {
    const verdict = await inspector.body(line)
    if (this.#message.isBroken) return 'again'
    const { writer } = this.#message
    const { lineLimit } = this.#context.settings
    if (verdict.before !== undefined) writer.append(encodeLine(verdict.before, lineLimit))
    if (verdict.text !== undefined) writer.append(encodeLine(verdict.text, lineLimit, type))
    return 'again'
  }

  /** The header of a part, or of an attached message. */
  #endHeader(section: HeaderSection | undefined): Promise<StepResult> | undefined {
    const cut = cutHeader(this.#header, this.#context.settings.headerSizeLimit)
    const text = normalizeHeaderName(cut)
    const { inspector } = this.#parts
    this.#header = ''
    if (inspector?.wantsHeaders !== true) {
      this.#writeHeader(text)
      return undefined
    }
    return inspector.header(section ?? 'nested', text).then((verdict) => {
      if (this.#message.isBroken) return 'again'
      if (verdict.before !== undefined) this.#writeHeader(verdict.before)
      if (verdict.text !== undefined) this.#writeHeader(verdict.text)
      return 'again'
    })
  }

  #writeHeader(text: string): void {
    if (!isAscii(text)) this.#message.noteUtf8('header')
    this.#parts.rules.header(text)
    noteEncoding(this.#message, this.#context.settings, text)
    this.#message.writer.append(encodeHeader(text, this.#context.settings.lineLimit))
  }

  #end(input: RecordInput): StepResult | Promise<StepResult> {
    if (this.#header !== '') {
      const waiting = this.#endHeader(this.#section)
      if (waiting !== undefined) return waiting
    }
    if (this.#isMidLine) {
      this.#isMidLine = false
      this.#message.writer.append(encodeRecord(RECORD.line))
    }
    input.next()
    const { type } = input
    if (type === RECORD.extracted) {
      this.#message.endContent()
      return this.#parts.extracted()
    }
    refuseRecord(this.#message, type, 'message content')
    input.back()
    return 'again'
  }
}
