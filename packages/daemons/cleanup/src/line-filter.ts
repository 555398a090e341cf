/**
 * line-filter - octets that must not stand in a line
 *
 * Stray CR and LF become blanks (cleanup_replace_stray_cr_lf), so that no server behind us can take them for the end of
 * a line or of the message. In headers, what follows a NUL is lost. The administrator may have characters removed, or
 * messages that contain them refused.
 *
 * Source: Postfix 3.7 cleanup(8).
 */
import { log } from '@posthorn/log/log'
import { untilNul } from '@posthorn/queue/record'
import { checkLine } from './check-line.ts'
import type { Message } from './message.ts'
import type { Settings } from './settings.ts'

export class LineFilter {
  readonly #replacesStray: boolean
  readonly #strip: RegExp | undefined
  readonly #reject: RegExp | undefined

  constructor(settings: Settings) {
    this.#replacesStray = settings.replacesStrayCrLf
    this.#strip = characterSet(settings.stripCharacters, 'g')
    this.#reject = characterSet(settings.rejectCharacters, '')
  }

  /** Body text has to be looked at line by line. */
  get looksAtBody(): boolean {
    return this.#strip !== undefined || this.#reject !== undefined
  }

  header(message: Message, line: string): string {
    return untilNul(this.body(message, line))
  }

  body(message: Message, line: string): string {
    let text = line
    if (this.#replacesStray && (text.includes('\r') || text.includes('\n'))) {
      text = text.replace(/[\r\n]/g, ' ')
    }
    if (this.#strip !== undefined) text = text.replace(this.#strip, '')
    if (this.#reject?.test(text) === true && message.has('filter') && message.status === 0) {
      const reason = '5.7.1 disallowed character'
      log.info(checkLine(message, 'reject', `content ${untilNul(text)}`, reason))
      message.fail('content', reason)
    }
    return text
  }
}

function characterSet(characters: string, flags: string): RegExp | undefined {
  if (characters === '') return undefined
  const escaped = [...new Set(characters)].map(
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return new RegExp(`[${escaped.join('')}]`, flags)
}
