/**
 * mime-rules - refuses messages whose MIME structure does not tell the truth
 *
 * strict_7bit_headers, strict_8bitmime_body and strict_mime_encoding_domain. Off by default: much good mail breaks them.
 * Mail that is nested beyond mime_nesting_limit is refused always.
 * Source: Postfix 3.7 cleanup(8); RFC 2045 6.4, RFC 5322 2.2.
 */
import { isAscii } from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import type { MimeScanner } from '@posthorn/message/mime-scanner'
import { checkLine } from './check-line.ts'
import type { Message } from './message.ts'
import type { Settings } from './settings.ts'

export class MimeRules {
  readonly #message: Message
  readonly #settings: Settings

  constructor(message: Message, settings: Settings) {
    this.#message = message
    this.#settings = settings
  }

  /** Body text has to be looked at line by line, with a MIME scanner. */
  get looksAtBody(): boolean {
    return this.#settings.strict8BitBody && this.#applies
  }

  /** Mail that the system wrote itself is not inspected. */
  get #applies(): boolean {
    return this.#message.has('filter') && this.#message.status === 0
  }

  header(text: string): void {
    if (!this.#settings.strict7BitHeaders || !this.#applies || isAscii(text)) return
    this.#reject('improper use of 8-bit data in message header', text)
  }

  body(line: string, encoding: string): void {
    // What claims another encoding is a matter for who decodes it.
    const is7Bit = encoding === '7bit' || encoding === 'other'
    if (!this.looksAtBody || !is7Bit || isAscii(line)) return
    this.#reject('improper use of 8-bit data in message body', line)
  }

  /** To be called when headers have ended. */
  structure(mime: MimeScanner): void {
    if (mime.tooDeep !== undefined && this.#applies) {
      this.#reject('MIME nesting exceeds safety limit', mime.tooDeep)
    }
    const encoding = mime.encodedComposite
    if (encoding === undefined || !this.#settings.strictEncodingDomain || !this.#applies) return
    this.#reject('invalid message/* or multipart/* encoding domain', encoding)
  }

  #reject(problem: string, content: string): void {
    const text = `mime-error ${problem}: ${content.slice(0, 60)}`
    log.info(checkLine(this.#message, 'reject', text, ''))
    this.#message.fail('content', `5.6.0 ${problem}`)
  }
}
