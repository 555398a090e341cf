/**
 * downgrade - a message with 8-bit parts, for a server without 8BITMIME
 *
 * Is fed the lines of a message and gives lines back: parts that claim 8bit or binary become quoted-printable, and so do
 * their Content-Transfer-Encoding headers. A composite entity becomes 7bit. Everything else passes unchanged, also 8-bit
 * text that claims to be something else: there is no telling what it is.
 *
 * Holds one header. Limits: those of mime-scanner.ts.
 * Sources: RFC 6152 3, RFC 2045 6.
 */
import { MimeScanner, type LineKind, type MimeScannerOptions } from './mime-scanner.ts'
import { encodeQuotedPrintable } from './quoted-printable.ts'
import { parseEncoding } from './mime-type.ts'
import { splitHeaderLine } from './header-line.ts'

export class Downgrade {
  readonly #scanner: MimeScanner
  #header: string[] = []
  #hadEncoding = false
  #isConverting = false

  constructor(options: Partial<MimeScannerOptions> = {}) {
    this.#scanner = new MimeScanner({ ...options, hasGlobalLeaves: true })
  }

  /** The message has more multiparts within multiparts than there may be: what comes now is not looked at as it should. */
  get isTooDeep(): boolean {
    return this.#scanner.tooDeep !== undefined
  }

  /** @param line the whole line, without line break */
  line(line: string): string[] {
    const wasInHeaders = this.#scanner.section !== undefined
    const kind = this.#scanner.line(line)
    switch (kind) {
      case 'header': {
        const before = this.#takeHeader()
        this.#header = [line]
        return before
      }
      case 'continuation':
        this.#header.push(line)
        return []
      default:
        return this.#content(line, kind, wasInHeaders)
    }
  }

  /** What is left when the message ends inside its headers. */
  finish(): string[] {
    return this.#takeHeader()
  }

  #content(line: string, kind: LineKind, wasInHeaders: boolean): string[] {
    const lines = wasInHeaders ? this.#endHeaders() : []
    if (kind === 'boundary') this.#isConverting = false
    if (kind === 'body' && this.#isConverting) lines.push(...encodeQuotedPrintable(line))
    else lines.push(line)
    return lines
  }

  #takeHeader(): string[] {
    const lines = this.#header
    this.#header = []
    const header = splitHeaderLine(lines.join('\n'))
    if (header?.name.toLowerCase() === 'content-transfer-encoding') {
      const encoding = parseEncoding(header.value)
      if (encoding === '8bit' || encoding === 'binary') {
        this.#hadEncoding = true
        return []
      }
    }
    return lines
  }

  #endHeaders(): string[] {
    const lines = this.#takeHeader()
    const { type, subtype } = this.#scanner.type
    const isParsed = this.#scanner.section === 'nested' || type === 'multipart'
    const isComposite = isParsed || (type === 'message' && subtype !== 'global')
    // message/partial and its like may have no encoding (RFC 2046 5.2.2); 8-bit text cannot go out either. As Postfix does:
    // encoded, and labelled 7bit
    this.#isConverting = this.#hadEncoding && !isParsed
    if (this.#hadEncoding) {
      const encoding = isComposite ? '7bit' : 'quoted-printable'
      lines.push(`Content-Transfer-Encoding: ${encoding}`)
    }
    this.#hadEncoding = false
    return lines
  }
}
