/**
 * content-editor - the text of a message on its way out, where something is to be changed in it
 *
 *   header_checks -> generic maps (primary headers with addresses) -> 7-bit conversion
 *   body_checks                                                    -> 7-bit conversion
 *
 * Is fed chunks whose lines end in CRLF, cut anywhere. Holds one line or one header. Nobody needs it who configured nothing
 * and whose server takes 8-bit text: then the text is copied as it is (content.ts).
 * Source: Postfix 3.7 smtp(8).
 */
import { Downgrade } from '@posthorn/message/downgrade'
import { findHeaderClass } from '@posthorn/message/header-class'
import { splitHeaderLine } from '@posthorn/message/header-line'
import {
  MimeScanner,
  type HeaderSection,
  type MimeScannerOptions,
} from '@posthorn/message/mime-scanner'
import type { GenericMaps } from './generic-maps.ts'
import type { OutgoingChecks } from './header-and-body-checks.ts'

export interface Edits {
  readonly generic: GenericMaps | undefined
  readonly checks: OutgoingChecks | undefined
  /** To quoted-printable, for a server that does not take 8-bit text (RFC 6152 3). */
  readonly isConverted: boolean
  readonly mime: MimeScannerOptions
}

/** What is to be made 7-bit cannot be found (mime_nesting_limit). */
export class MimeNestingError extends Error {
  readonly code = 'POSTHORN_MIME_NESTING'
}

/** @throws {LocalDataError | MimeNestingError} a table cannot be asked; parts within parts within parts */
export async function* editContent(
  chunks: AsyncIterable<string>,
  edits: Edits,
): AsyncGenerator<string> {
  const editor = new ContentEditor(edits)
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\r\n')
    rest = lines.pop() ?? ''
    const edited: string[] = []
    for (const line of lines) edited.push(...(await editor.line(line)))
    if (edited.length > 0) yield `${edited.join('\r\n')}\r\n`
  }
  const last = [...(rest === '' ? [] : await editor.line(rest)), ...(await editor.finish())]
  if (last.length > 0) yield `${last.join('\r\n')}\r\n`
}

class ContentEditor {
  readonly #edits: Edits
  readonly #scanner: MimeScanner | undefined
  readonly #downgrade: Downgrade | undefined
  #header = ''
  #section: HeaderSection = 'primary'

  constructor(edits: Edits) {
    this.#edits = edits
    const { generic, checks, mime, isConverted } = edits
    this.#scanner =
      generic === undefined && checks === undefined ? undefined : new MimeScanner(mime)
    this.#downgrade = isConverted ? new Downgrade(mime) : undefined
  }

  async line(line: string): Promise<readonly string[]> {
    if (this.#scanner === undefined) return this.#converted([line])
    const kind = this.#scanner.line(line)
    if (kind === 'continuation') {
      this.#header += `\n${line}`
      return []
    }
    const before = await this.#endHeader()
    if (kind === 'header') {
      this.#header = line
      this.#section = this.#scanner.section ?? 'primary'
      return this.#converted(before)
    }
    if (kind === 'separator') this.#edits.checks?.beginSegment()
    return this.#converted([...before, ...(await this.#bodyLine(line))])
  }

  async finish(): Promise<readonly string[]> {
    const last = this.#converted(await this.#endHeader())
    return [...last, ...(this.#downgrade?.finish() ?? [])]
  }

  async #bodyLine(line: string): Promise<readonly string[]> {
    const { checks } = this.#edits
    return checks?.hasBodyChecks === true ? checks.body(line) : [line]
  }

  async #endHeader(): Promise<string[]> {
    if (this.#header === '') return []
    const text = this.#header
    this.#header = ''
    const { checks, generic } = this.#edits
    const headers = (await checks?.header(this.#section, text)) ?? [text]
    const lines: string[] = []
    for (const header of headers) {
      const isMapped = generic !== undefined && this.#section === 'primary' && hasAddresses(header)
      lines.push(...(isMapped ? await generic.mapHeader(header) : header).split('\n'))
    }
    return lines
  }

  #converted(lines: readonly string[]): readonly string[] {
    const downgrade = this.#downgrade
    if (downgrade === undefined) return lines
    const converted = lines.flatMap((line) => downgrade.line(line))
    if (downgrade.isTooDeep) throw tooDeep()
    return converted
  }
}

function tooDeep(): MimeNestingError {
  return new MimeNestingError('Cannot edit message: its parts are nested too deeply')
}

function hasAddresses(header: string): boolean {
  const name = splitHeaderLine(header)?.name.toLowerCase() ?? ''
  return findHeaderClass(name)?.addresses !== undefined
}
