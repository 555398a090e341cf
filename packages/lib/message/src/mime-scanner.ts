/**
 * mime-scanner - where in a MIME message are we
 *
 * Is fed the physical lines of a message one after the other and says what each is: part of a header, the blank line
 * behind the headers, a boundary, or body. It keeps the encoding and type of the entity that the line belongs to.
 * It holds no text but the header being read and the boundaries that are open.
 *
 *     primary headers, blank line, body
 *       multipart/x:      text, --boundary, part headers, blank line, body, ..., --boundary--, text
 *       message/rfc822:   nested headers, blank line, body
 *
 * A line that is no header ends the headers even without a blank line, and is then looked at as body.
 *
 * Limits: nestingLimit (mime_nesting_limit) open multiparts, and two more as in Postfix; deeper ones are read as plain text
 * and reported in tooDeep. An attached message is no level: nothing of it has to be remembered.
 * boundaryLimit (mime_boundary_length_limit): boundaries are compared up to that length; headerLimit octets of a header
 * (header_size_limit) are looked at.
 * Sources: RFC 2045, RFC 2046 5.1 and 5.2.1.
 */
import { isContinuation, isHeaderStart, splitHeaderLine } from './header-line.ts'
import {
  MESSAGE_RFC822,
  TEXT_PLAIN,
  parseContentType,
  parseEncoding,
  type ContentType,
  type Encoding,
} from './mime-type.ts'

/** `separator` is the blank line behind headers. */
export type LineKind = 'header' | 'continuation' | 'separator' | 'boundary' | 'body'
/** Whose headers: of the message, of a part of a multipart, of an attached message. */
export type HeaderSection = 'primary' | 'part' | 'nested'

export interface MimeScannerOptions {
  readonly nestingLimit: number
  readonly boundaryLimit: number
  readonly headerLimit: number
  /** A message/global of 8-bit encoding is one body, for a reader who wants to encode it (RFC 6532 3.7). */
  readonly hasGlobalLeaves?: boolean
}

const DEFAULTS: MimeScannerOptions = { nestingLimit: 100, boundaryLimit: 2048, headerLimit: 102400 }

const UNCOUNTED_LEVELS = 2

interface OpenBoundary {
  readonly boundary: string
  /** What a part is when it does not say: text/plain, in a digest message/rfc822. */
  readonly partType: ContentType
}

export class MimeScanner {
  readonly #options: MimeScannerOptions
  readonly #open: OpenBoundary[] = []
  #section: HeaderSection | undefined = 'primary'
  #header = ''
  #type: ContentType = TEXT_PLAIN
  #encoding: Encoding = '7bit'
  #contentType = ''
  #tooDeep: string | undefined
  #encodedComposite: Encoding | undefined

  constructor(options: Partial<MimeScannerOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options }
  }

  /** The headers that the last line belonged to; undefined while in a body. */
  get section(): HeaderSection | undefined {
    return this.#section
  }

  /** Of the entity whose headers or body are being read; complete once its headers have ended. */
  get type(): ContentType {
    return this.#type
  }

  get encoding(): Encoding {
    return this.#encoding
  }

  /** The Content-Type header with which a multipart went beyond the limit; of the first such entity. */
  get tooDeep(): string | undefined {
    return this.#tooDeep
  }

  /**
   * The encoding of a multipart or message that claims one, which RFC 2045 6.4 forbids; of the first such entity. It is
   * read as if it had none.
   */
  get encodedComposite(): Encoding | undefined {
    return this.#encodedComposite
  }

  /** True while some multipart is open: only then can a later line be a boundary. */
  get hasOpenBoundary(): boolean {
    return this.#open.length > 0
  }

  /** @param text a line without its line break; a line in several records is given its first record only */
  line(text: string): LineKind {
    if (this.#section !== undefined) {
      if (this.#header !== '' && isContinuation(text)) {
        if (this.#header.length < this.#options.headerLimit) this.#header += `\n${text}`
        return 'continuation'
      }
      this.#endHeader()
      if (isHeaderStart(text)) {
        this.#header = text
        return 'header'
      }
      this.#endHeaders()
      if (text === '') return 'separator'
      this.#section = undefined // a missing blank line: also the text of a nested message is body
    }
    return text.startsWith('--') && this.#open.length > 0 ? this.#boundaryOrBody(text) : 'body'
  }

  #endHeader(): void {
    if (this.#header === '') return
    const text = this.#header
    const header = splitHeaderLine(text)
    this.#header = ''
    const name = header?.name.toLowerCase()
    if (name === 'content-type') {
      this.#type = parseContentType(header?.value ?? '')
      this.#contentType = text
    } else if (name === 'content-transfer-encoding') {
      this.#encoding = parseEncoding(header?.value ?? '')
    }
  }

  #endHeaders(): void {
    this.#section = undefined
    const { type, subtype, boundary } = this.#type
    const hasNested = type === 'message' && this.#isNested(subtype)
    if (type === 'multipart' || hasNested) this.#noteEncoding()
    if (type === 'multipart' && boundary !== undefined) {
      if (this.#open.length >= this.#options.nestingLimit + UNCOUNTED_LEVELS) {
        this.#tooDeep ??= this.#contentType
        return
      }
      const partType = subtype === 'digest' ? MESSAGE_RFC822 : TEXT_PLAIN
      const compared = boundary.slice(0, this.#options.boundaryLimit)
      this.#open.push({ boundary: compared, partType })
    } else if (hasNested) {
      this.#begin('nested', TEXT_PLAIN)
    }
  }

  /** The body is a message with headers of its own. */
  #isNested(subtype: string): boolean {
    if (subtype !== 'global') return subtype === 'rfc822'
    const isEightBit = this.#encoding === '8bit' || this.#encoding === 'binary'
    return this.#options.hasGlobalLeaves !== true || !isEightBit
  }

  #noteEncoding(): void {
    const isIdentity = ['7bit', '8bit', 'binary'].includes(this.#encoding)
    if (!isIdentity) this.#encodedComposite ??= this.#encoding
  }

  #begin(section: HeaderSection, type: ContentType): void {
    this.#section = section
    this.#type = type
    this.#encoding = '7bit'
  }

  /** RFC 2046 5.1.2: a boundary of an outer multipart ends the inner ones; only the beginning of the line counts. */
  #boundaryOrBody(text: string): LineKind {
    for (let at = this.#open.length - 1; at >= 0; at--) {
      const level = this.#open[at]
      if (level === undefined || !text.startsWith(level.boundary, 2)) continue
      const isLast = text.startsWith('--', 2 + level.boundary.length)
      this.#open.length = isLast ? at : at + 1
      if (isLast) {
        this.#section = undefined
        this.#type = TEXT_PLAIN
        this.#encoding = '7bit'
      } else this.#begin('part', level.partType)
      return 'boundary'
    }
    return 'body'
  }
}
