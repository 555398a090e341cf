/**
 * header-stage - the primary headers
 *
 * Puts logical headers together from the records of their physical lines and gives them to the header editor, which
 * decides what is written. Ends at the first line that is no header: an empty line, which is kept, or text, before which
 * an empty line is put. Then missing headers are added and the body begins.
 *
 * A header that nobody changes is written as the octets that came in.
 *
 * Limits: header_size_limit octets of a header, the rest is cut, at the end of a line if there is one near.
 * Source: Postfix 3.7 cleanup(8).
 */
import { isContinuation, isHeaderStart, normalizeHeaderName } from '@posthorn/message/header-line'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { BodyStage } from './body-stage.ts'
import type { CleanupContext } from './cleanup-context.ts'
import { cutHeader } from './cut-header.ts'
import type { HeaderEditor } from './header-editor.ts'
import type { LineFilter } from './line-filter.ts'
import type { Message } from './message.ts'
import type { RecordInput } from './record-input.ts'
import { refuseRecord } from './refuse-record.ts'
import type { Stage, StepResult } from './stage.ts'

export class HeaderStage implements Stage {
  readonly #message: Message
  readonly #context: CleanupContext
  readonly #editor: HeaderEditor
  readonly #filter: LineFilter
  readonly #extracted: () => Stage
  /** The header being put together, lines separated by LF; its records as they came, while they still say the same. */
  #text = ''
  #octets: string | undefined = ''
  #isCut = false
  /** Pieces of a long line, until the last one comes. */
  #pieces = ''

  constructor(
    message: Message,
    context: CleanupContext,
    parts: { editor: HeaderEditor; filter: LineFilter; extracted: () => Stage },
  ) {
    this.#message = message
    this.#context = context
    this.#editor = parts.editor
    this.#filter = parts.filter
    this.#extracted = parts.extracted
  }

  step(input: RecordInput): StepResult | Promise<StepResult> {
    while (input.next()) {
      const { type } = input
      if (type === RECORD.part) {
        const piece = input.payload()
        if (this.#pieces === '' && !this.#belongsToHeader(piece)) return this.#longText(input)
        this.#addPiece(piece)
        continue
      }
      const isLine = type === RECORD.line
      if (!isLine && this.#pieces === '') {
        input.back()
        if (type === RECORD.extracted) return this.#endOfContent()
        refuseRecord(this.#message, type, 'message content')
        return 'again'
      }
      const payload = isLine ? input.payload() : ''
      const whole = this.#pieces + payload
      const line = this.#filter.header(this.#message, whole)
      if (this.#text !== '' && !isContinuation(line)) {
        const waiting = this.#finishHeader()
        if (waiting !== undefined) {
          input.back() // this line comes again when the header before it is written
          return waiting.then(() => 'again')
        }
      }
      const isAsItCame = isLine && line === payload && this.#fitsRecord(line)
      const octets = isAsItCame ? input.octets() : undefined
      if (!isLine) input.back() // the content ends within a line: that line ends there, too
      this.#pieces = ''
      if (this.#message.isBroken) return 'again'
      if (this.#text !== '') this.#add(line, octets)
      else if (isHeaderStart(line)) this.#begin(line, octets)
      else return this.#endOfHeaders(whole)
    }
    return 'more'
  }

  /** What a long line is, its first piece says. */
  #belongsToHeader(piece: string): boolean {
    return isHeaderStart(piece) || (this.#text !== '' && isContinuation(piece))
  }

  /** A long line that is no header goes to the body piece by piece: of text nothing is cut. */
  #longText(input: RecordInput): StepResult | Promise<StepResult> {
    input.back()
    if (this.#text === '') return this.#endOfHeaders('')
    const waiting = this.#finishHeader()
    return waiting === undefined ? 'again' : waiting.then(() => 'again')
  }

  /** Where stray LF are left alone, they end physical lines of a header. */
  #fitsRecord(line: string): boolean {
    const { lineLimit, replacesStrayCrLf } = this.#context.settings
    return line.length <= lineLimit && (replacesStrayCrLf || !line.includes('\n'))
  }

  #addPiece(payload: string): void {
    const limit = this.#context.settings.headerSizeLimit
    if (this.#pieces.length <= limit) this.#pieces += payload
  }

  #begin(line: string, octets: string | undefined): void {
    this.#text = line
    this.#octets = octets
    this.#isCut = false
    this.#cut()
  }

  #add(line: string, octets: string | undefined): void {
    if (this.#isCut) return
    this.#text += `\n${line}`
    this.#octets =
      octets === undefined || this.#octets === undefined ? undefined : this.#octets + octets
    this.#cut()
  }

  #cut(): void {
    const { headerSizeLimit } = this.#context.settings
    if (this.#text.length <= headerSizeLimit) return
    this.#text = cutHeader(this.#text, headerSizeLimit)
    this.#octets = undefined
    this.#isCut = true
  }

  #finishHeader(): Promise<void> | undefined {
    const text = normalizeHeaderName(this.#text)
    const octets = text === this.#text ? this.#octets : undefined
    this.#text = ''
    return this.#editor.header(text, octets)
  }

  /** @param line the first that is no header */
  #endOfHeaders(line: string): StepResult | Promise<StepResult> {
    const next = (): StepResult => {
      if (this.#message.isBroken) return 'again'
      const body = this.#body()
      this.#message.writer.append(encodeRecord(RECORD.line))
      if (line !== '') body.insert(this.#filter.body(this.#message, line))
      return body
    }
    const waiting = this.#editor.endOfHeaders()
    return waiting === undefined ? next() : waiting.then(next)
  }

  /** The content ends in the headers: there is no body, and no empty line. */
  #endOfContent(): StepResult | Promise<StepResult> {
    if (this.#text !== '') {
      const waiting = this.#finishHeader()
      return waiting === undefined ? 'again' : waiting.then(() => 'again')
    }
    const next = (): StepResult => (this.#message.isBroken ? 'again' : this.#body())
    const waiting = this.#editor.endOfHeaders()
    return waiting === undefined ? next() : waiting.then(next)
  }

  #body(): BodyStage {
    return new BodyStage(this.#message, this.#context, {
      mime: this.#editor.mime,
      inspector: this.#editor.inspector,
      rules: this.#editor.rules,
      filter: this.#filter,
      extracted: this.#extracted,
    })
  }
}
