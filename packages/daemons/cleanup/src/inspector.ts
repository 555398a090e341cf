/**
 * inspector - carries out what header_checks and body_checks say
 *
 * Each line gets a verdict: what is written before it, and what instead of it. What concerns the whole message (HOLD,
 * REJECT, FILTER, ...) is noted in the message, and logged. After REJECT, DISCARD and PASS nothing more is inspected.
 * When a table fails the client is told to try again.
 *
 * Source: Postfix 3.7 cleanup(8), header_checks(5).
 */
import {
  ContentChecks,
  type CheckOutcome,
  type CheckTables,
} from '@posthorn/message/content-checks'
import { isHeaderStart } from '@posthorn/message/header-line'
import type { HeaderSection } from '@posthorn/message/mime-scanner'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import { log } from '@posthorn/log/log'
import { checkLine } from './check-line.ts'
import type { Message } from './message.ts'

/** What to write: a line of its own before the text, and the text; undefined = nothing. */
export interface Verdict {
  readonly before?: string
  readonly text: string | undefined
}

type Place = 'header' | 'body'

export class Inspector {
  readonly #message: Message
  readonly #checks: ContentChecks

  constructor(message: Message, tables: CheckTables, bodyLimit: number) {
    this.#message = message
    this.#checks = new ContentChecks(tables, bodyLimit)
  }

  get wantsHeaders(): boolean {
    return this.#checks.hasHeaderChecks && this.#isInspecting
  }

  get wantsBody(): boolean {
    return this.#checks.hasBodyChecks && this.#isInspecting
  }

  get #isInspecting(): boolean {
    return !this.#message.isChecked && this.#message.status === 0
  }

  /** @param text a logical header */
  async header(section: HeaderSection, text: string): Promise<Verdict> {
    return this.#act('header', text, await this.#checks.header(section, text))
  }

  async body(line: string): Promise<Verdict> {
    return this.#act('body', line, await this.#checks.body(line))
  }

  /** The next part of a MIME message begins. */
  beginSegment(): void {
    this.#checks.beginSegment()
  }

  #act(place: Place, text: string, outcome: CheckOutcome): Verdict {
    const message = this.#message
    const unchanged = { text }
    switch (outcome.kind) {
      case 'dunno':
        return unchanged
      case 'ignore':
        return { text: undefined }
      case 'strip':
        this.#log('strip', place, text, outcome.text)
        return { text: undefined }
      case 'warn':
        this.#log('warning', place, text, outcome.text)
        return unchanged
      case 'info':
        this.#log('info', place, text, outcome.text)
        return unchanged
      case 'pass':
        this.#log('pass', place, text, outcome.text)
        message.isChecked = true
        return unchanged
      case 'hold':
        if (!message.has('hold')) this.#log('hold', place, text, outcome.text)
        message.flags |= CLEANUP_FLAGS.hold
        return unchanged
      case 'discard':
        this.#log('discard', place, text, outcome.text)
        message.flags |= CLEANUP_FLAGS.discard
        return { text: undefined }
      case 'reject':
        this.#reject(place, text, outcome.text)
        return unchanged
      case 'prepend':
      case 'replace':
        return this.#edit(place, text, outcome)
      case 'filter':
        if (message.redirect !== undefined) return unchanged
        this.#log('filter', place, text, outcome.text)
        message.filter = outcome.text
        return unchanged
      case 'redirect':
        if (message.redirect !== undefined) return unchanged // the first one counts
        this.#log('redirect', place, text, outcome.text)
        message.redirect = outcome.text
        return unchanged
      case 'bcc':
        if (message.redirect !== undefined) return unchanged
        this.#log('bcc', place, text, outcome.text)
        message.bcc.push(outcome.text)
        return unchanged
      case 'invalid':
        log.warning(outcome.warning)
        return unchanged
      case 'tryAgain':
        log.warning(
          `${message.id}: ${place}_checks map lookup problem -- message not accepted, try again later`,
        )
        message.fail('write')
        return unchanged
    }
  }

  #edit(
    place: Place,
    text: string,
    action: { readonly kind: 'prepend' | 'replace'; readonly text: string },
  ): Verdict {
    if (place === 'header' && !isHeaderStart(action.text)) {
      const verb = action.kind.toUpperCase()
      log.warning(
        `bad ${verb} header text "${action.text}" in header_checks map -- need "headername: headervalue"`,
      )
      return { text }
    }
    this.#log(action.kind, place, text, action.text)
    return action.kind === 'prepend' ? { before: action.text, text } : { text: action.text }
  }

  #reject(place: Place, text: string, reason: string): void {
    const withCode = addStatusCode(reason === '' ? 'message content rejected' : reason)
    this.#log('reject', place, text, withCode)
    this.#message.fail(withCode.startsWith('4') ? 'defer' : 'content', withCode)
  }

  #log(action: string, place: Place, text: string, comment: string): void {
    log.info(checkLine(this.#message, action, `${place} ${text}`, comment))
  }
}

/** A code of success cannot be meant: Postfix takes it for one of the kind "try again later". */
function addStatusCode(reason: string): string {
  if (!/^[245]\.\d{1,3}\.\d{1,3}(?:\s|$)/.test(reason)) return `5.7.1 ${reason}`
  return reason.replace(/^2/, '4')
}
