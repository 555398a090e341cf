/**
 * header-recipients - the addresses that sendmail -t finds in To:, Cc: and Bcc:
 *
 * Is fed the lines of a message. When there is any Resent- recipient header, be it empty, only those count: the message is being sent
 * on, and its first recipients have it.
 *
 * Limits: header_size_limit octets of a header, and the line that goes beyond; recipientLimit recipients.
 * Source: RFC 5322 3.6.6; Postfix 3.7 sendmail(1).
 */
import { parseAddressList } from '@posthorn/address/address-list'
import { unquoteAddress } from '@posthorn/address/quote-address'
import { findHeaderClass } from '@posthorn/message/header-class'
import { isContinuation, isHeaderStart, splitHeaderLine } from '@posthorn/message/header-line'

export interface HeaderLimits {
  readonly sizeLimit: number
  readonly tokenLimit: number
  readonly recipientLimit: number
}

/** Nobody can tell whom a message is for when its headers have no end. */
export class HeaderTooLongError extends RangeError {
  override readonly name = 'HeaderTooLongError'
  readonly code = 'POSTHORN_HEADER_TOO_LONG'
}

export class HeaderRecipients {
  readonly #limits: HeaderLimits
  readonly #plain: string[] = []
  readonly #resent: string[] = []
  #isResent = false
  #header = ''

  constructor(limits: HeaderLimits) {
    this.#limits = limits
  }

  /**
   * @returns false when the line is no header: the headers have ended
   * @throws {HeaderTooLongError}
   */
  line(text: string): boolean {
    if (this.#header !== '' && isContinuation(text)) {
      this.more(`\n${text}`)
      return true
    }
    this.end()
    if (!isHeaderStart(text)) return false
    this.#header = text
    return true
  }

  /**
   * The rest of a long line.
   * @throws {HeaderTooLongError} header_size_limit octets are there already
   */
  more(text: string): void {
    if (this.#header.length >= this.#limits.sizeLimit) {
      throw new HeaderTooLongError('message header length exceeds safety limit')
    }
    this.#header += text
  }

  /** The headers are over. */
  end(): void {
    const header = splitHeaderLine(this.#header)
    this.#header = ''
    if (header === undefined) return
    const kind = findHeaderClass(header.name.toLowerCase())
    if (kind?.namesRecipients !== true) return
    if (kind.isResent) this.#isResent = true
    const found = kind.isResent ? this.#resent : this.#plain
    for (const node of parseAddressList(header.value, this.#limits.tokenLimit)) {
      if (found.length >= this.#limits.recipientLimit) return
      if (node.kind === 'address' && node.text !== '') found.push(unquoteAddress(node.text))
    }
  }

  /** In internal form. */
  get recipients(): readonly string[] {
    return this.#isResent ? this.#resent : this.#plain
  }
}
