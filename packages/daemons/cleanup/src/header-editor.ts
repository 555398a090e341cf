/**
 * header-editor - what happens to each primary header
 *
 *   inspected (header_checks)  ->  dropped (message_drop_headers)  ->  looked at  ->  addresses rewritten  ->  written
 *
 * Looked at: Message-Id is logged, Received counted against hop loops, Content-* remembered for the body, what is asked of
 * TLS (RFC 8689), and which headers were there so that missing ones can be added. Addresses are rewritten for local clients, and for others if
 * remote_header_rewrite_domain says how.
 *
 * Source: Postfix 3.7 cleanup(8); RFC 5322 3.6.
 */
import { isAscii } from '@posthorn/address/split-address'
import { findHeaderClass, type HeaderClass } from '@posthorn/message/header-class'
import { MimeScanner } from '@posthorn/message/mime-scanner'
import { parseContentType } from '@posthorn/message/mime-type'
import { log } from '@posthorn/log/log'
import type { CleanupContext } from './cleanup-context.ts'
import { encodeHeader } from './encode-line.ts'
import { rewriteHeader } from './header-addresses.ts'
import type { Inspector } from './inspector.ts'
import type { Message } from './message.ts'
import { MimeRules } from './mime-rules.ts'
import { missingHeaders } from './missing-headers.ts'
import { noteEncoding } from './note-encoding.ts'

/** As MAIL with REQUIRETLS. Postfix 3.11 REQUIRETLS_README. */
const REQUIRE_TLS_HEADER = 'Require-TLS-ESMTP'

/** Besides those of a header class. */
const NOTED: ReadonlySet<string> = new Set([
  'received',
  'date',
  'message-id',
  'tls-required',
  REQUIRE_TLS_HEADER.toLowerCase(),
])

export class HeaderEditor {
  readonly inspector: Inspector | undefined
  readonly rules: MimeRules
  readonly #message: Message
  readonly #context: CleanupContext
  /** Names, in lower case, of headers that were seen and not dropped. */
  readonly #seen = new Set<string>()
  readonly #rule: 'local' | 'remote' | undefined
  #hops = 0
  #hasReceived = false
  #isResent = false
  /** Content-* headers, for the MIME scanner. */
  #mimeHeaders: string[] = []
  #isComposite = false

  constructor(message: Message, context: CleanupContext, inspector: Inspector | undefined) {
    this.#message = message
    this.#context = context
    this.inspector = inspector
    this.rules = new MimeRules(message, context.settings)
    const { remoteRewriteDomain } = context.settings
    const isLocal = message.rewriteContext === 'local'
    this.#rule = isLocal ? 'local' : remoteRewriteDomain === '' ? undefined : 'remote'
  }

  /** For the body; undefined when no line of it can matter. */
  get mime(): MimeScanner | undefined {
    if (!this.#context.settings.usesMime) return undefined
    if (!this.#isComposite && !this.rules.looksAtBody) return undefined
    const { mimeNestingLimit, boundaryLimit, headerSizeLimit } = this.#context.settings
    const scanner = new MimeScanner({
      nestingLimit: mimeNestingLimit,
      boundaryLimit,
      headerLimit: headerSizeLimit,
    })
    for (const header of this.#mimeHeaders) {
      for (const line of header.split('\n')) scanner.line(line)
    }
    scanner.line('')
    return scanner
  }

  /**
   * @param text a logical header, lines separated by LF
   * @param octets the records that say the same; undefined when they must be made
   */
  header(text: string, octets: string | undefined): Promise<void> | undefined {
    this.#noteStructure(text)
    if (this.inspector?.wantsHeaders !== true) return this.#accept(text, octets)
    return this.#inspect(this.inspector, text, octets)
  }

  /** What counts whatever the checks say: the body was written for the MIME headers that came with it. */
  #noteStructure(text: string): void {
    // Most headers are seen by their first letter to be none of these.
    const first = text.charCodeAt(0) | 0x20
    if (first !== 0x72 && first !== 0x63) return
    switch (text.slice(0, text.indexOf(':')).toLowerCase()) {
      case 'received':
        this.#hasReceived = true
        return
      case 'content-type': {
        const { type } = parseContentType(text.slice(text.indexOf(':') + 1))
        this.#isComposite = type === 'multipart' || type === 'message'
        this.#mimeHeaders.push(text)
        return
      }
      case 'content-transfer-encoding':
        this.#mimeHeaders.push(text)
        return
      default:
    }
  }

  async #inspect(inspector: Inspector, text: string, octets: string | undefined): Promise<void> {
    const verdict = await inspector.header('primary', text)
    if (this.#message.isBroken) return
    if (verdict.before !== undefined) this.#write(verdict.before)
    if (verdict.text === undefined) return
    await this.#accept(verdict.text, verdict.text === text ? octets : undefined)
  }

  #accept(text: string, octets: string | undefined): Promise<void> | undefined {
    const colon = text.indexOf(':')
    const name = text.slice(0, colon).toLowerCase()
    const kind = findHeaderClass(name)
    if (kind?.isResent === true) this.#isResent = true
    // One that is dropped was there all the same: hops count, and nothing is put in its place.
    const isDropped = this.#context.settings.dropHeaders.has(name)
    if (kind !== undefined || NOTED.has(name)) {
      this.#seen.add(name)
      this.#note(name, text.slice(colon + 1))
      if (this.#message.isBroken || isDropped) return undefined
      if (kind?.addresses !== undefined && this.#rule !== undefined) {
        return this.#rewrite(kind, this.#rule, text, octets)
      }
    }
    if (!isDropped) this.#write(text, octets)
    return undefined
  }

  #note(name: string, value: string): void {
    const message = this.#message
    switch (name) {
      case 'message-id':
      case 'resent-message-id':
        log.info(`${message.id}: ${name}=${value.trimStart()}`)
        return
      case 'received':
        this.#hops++
        if (this.#hops === this.#context.settings.hopLimit) {
          log.warning(`${message.id}: message rejected: hopcount exceeded`)
          message.fail('hops')
        }
        return
      case 'tls-required': // RFC 8689 5: `No` is the only value
        if (value.trim().toLowerCase() === 'no' && this.#context.settings.honorsTlsRequired) {
          message.waiveTls()
        }
        return
      case REQUIRE_TLS_HEADER.toLowerCase():
        if (value.trim().toLowerCase() === 'yes' && this.#context.settings.hasRequireTlsHeader) {
          message.requireTls()
        }
        return
      case 'content-transfer-encoding':
        noteEncoding(message, this.#context.settings, `${name}:${value}`)
        return
      default:
    }
  }

  #rewrite(
    kind: HeaderClass,
    rule: 'local' | 'remote',
    text: string,
    octets: string | undefined,
  ): Promise<void> | undefined {
    const mapped =
      kind.addresses === 'sender' ? ('header_sender' as const) : ('header_recipient' as const)
    const result = rewriteHeader(this.#message, this.#context, { text, rule, mapped })
    if (typeof result === 'string') {
      this.#write(result, result === text ? octets : undefined)
      return undefined
    }
    return result.then((rewritten) => {
      this.#write(rewritten, rewritten === text ? octets : undefined)
    })
  }

  #write(text: string, octets?: string): void {
    const { writer } = this.#message
    if (!isAscii(text)) {
      this.#message.noteUtf8('header')
      this.rules.header(text)
    }
    writer.append(octets ?? encodeHeader(text, this.#context.settings.lineLimit))
  }

  /** Called once, behind the last header. */
  endOfHeaders(): Promise<void> | undefined {
    const message = this.#message
    if (message.isBroken) return undefined
    if (!this.#hasReceived) {
      log.warning(`${message.id}: message rejected: no Received: header`)
      message.fail('bad')
      return undefined
    }
    const { settings } = this.#context
    const tellsOfTls = message.wantsRequireTls && settings.hasRequireTlsHeader
    if (tellsOfTls && !this.#seen.has(REQUIRE_TLS_HEADER.toLowerCase())) {
      // a content filter that does not know REQUIRETLS hands it on like this
      message.writer.append(encodeHeader(`${REQUIRE_TLS_HEADER}: yes`, settings.lineLimit))
    }
    if (this.#rule !== undefined || settings.alwaysAddMissingHeaders) {
      for (const header of missingHeaders(message, settings, this.#seen, this.#isResent)) {
        // Not noted as beyond ASCII: a full name must not make the message need SMTPUTF8.
        message.writer.append(encodeHeader(header, settings.lineLimit))
        const id = /^((?:resent-)?message-id): (.*)/i.exec(header)
        if (id === null) continue
        const name = (id[1] ?? '').toLowerCase()
        this.#seen.add(name)
        log.info(`${message.id}: ${name}=${id[2] ?? ''}`)
      }
    }
    if (!this.#seen.has('message-id')) log.info(`${message.id}: message-id=<>`)
    return undefined
  }
}
