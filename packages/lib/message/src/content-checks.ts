/**
 * content-checks - header_checks, mime_header_checks, nested_header_checks and body_checks
 *
 * Decides which table a line goes to and asks it. What the answer does to the message is the caller's part: cleanup(8) and
 * smtp(8) differ in the actions that they carry out. MIME headers go to mime_header_checks wherever they stand, and so do
 * all headers of a part; empty lines are never looked up.
 *
 * Limits: bodyLimit octets of each body segment are looked at (body_checks_size_limit).
 * Sources: Postfix 3.7 header_checks(5).
 */
import { parseCheckAction, type CheckAction } from './check-action.ts'
import { findHeaderClass } from './header-class.ts'
import { splitHeaderLine } from './header-line.ts'
import type { HeaderSection } from './mime-scanner.ts'

type Answer =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'tryAgain'; readonly reason: string }

/** The tables and map lists of packages/lib/tables fit. */
export interface CheckTable {
  find: (key: string) => Answer | Promise<Answer>
}

export interface CheckTables {
  readonly header: CheckTable | undefined
  readonly mimeHeader: CheckTable | undefined
  readonly nestedHeader: CheckTable | undefined
  readonly body: CheckTable | undefined
}

export type CheckOutcome = CheckAction | { readonly kind: 'tryAgain'; readonly reason: string }

const DUNNO: CheckAction = { kind: 'dunno' }

export class ContentChecks {
  readonly #tables: CheckTables
  readonly #bodyLimit: number
  /** The empty line behind the headers counts, and so does every line break. */
  #bodyOctets = 1

  constructor(tables: CheckTables, bodyLimit: number) {
    this.#tables = tables
    this.#bodyLimit = bodyLimit
  }

  get hasHeaderChecks(): boolean {
    const { header, mimeHeader, nestedHeader } = this.#tables
    return header !== undefined || mimeHeader !== undefined || nestedHeader !== undefined
  }

  get hasBodyChecks(): boolean {
    return this.#tables.body !== undefined
  }

  /** @param header a logical header, physical lines separated by `\n` */
  async header(section: HeaderSection, header: string): Promise<CheckOutcome> {
    const { header: primary, mimeHeader, nestedHeader } = this.#tables
    const name = splitHeaderLine(header)?.name.toLowerCase() ?? ''
    if (section === 'part' || findHeaderClass(name)?.isMime === true) {
      return ask(mimeHeader, 'mime_header_checks', header)
    }
    if (section === 'primary') return ask(primary, 'header_checks', header)
    return ask(nestedHeader, 'nested_header_checks', header)
  }

  /** A new body segment begins, with the empty line behind its headers: its first bodyLimit octets are looked at. */
  beginSegment(): void {
    this.#bodyOctets = 0
  }

  /** @param line a physical line, or a piece of one */
  async body(line: string): Promise<CheckOutcome> {
    if (this.#bodyOctets >= this.#bodyLimit) return DUNNO
    this.#bodyOctets += line.length + 1
    if (line === '') return DUNNO
    return ask(this.#tables.body, 'body_checks', line)
  }
}

async function ask(table: CheckTable | undefined, map: string, key: string): Promise<CheckOutcome> {
  if (table === undefined || key === '') return DUNNO
  const result = await table.find(key)
  switch (result.kind) {
    case 'found':
      return parseCheckAction(result.value, map)
    case 'absent':
      return DUNNO
    case 'tryAgain':
      return result
  }
}
