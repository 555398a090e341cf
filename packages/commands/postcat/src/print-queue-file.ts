/**
 * print-queue-file - a queue file as readable text
 *
 * Envelope and extracted records are printed with their names, content as the text that it is, unless
 * offsets are asked for or pointers are shown: then each record gets a line of its own.
 * The file offset printed is that of the record, or of the hidden pointers and padding before it.
 * Source: Postfix 3.7 postcat(1).
 */
import { readSync } from 'node:fs'
import { formatCtime } from '@posthorn/queue/ctime'
import { parseAttribute } from '@posthorn/queue/named-attribute'
import { RecordError } from '@posthorn/queue/queue-error'
import { RECORD, untilNul } from '@posthorn/queue/record'
import { RecordFile, type FileRecord } from '@posthorn/queue/record-file'
import { isEnvelopeType, recordName } from './record-names.ts'

/** With pointers shown, a bad one is an error of its own. */
export class PointerError extends RecordError {
  override readonly name = 'PointerError'
}

export interface PrintOptions {
  readonly showsEnvelope: boolean
  readonly showsHeader: boolean
  readonly showsBody: boolean
  readonly showsOffset: boolean
  readonly showsType: boolean
  /** Pointers and padding are printed. */
  readonly isVerbose: boolean
  /** With isVerbose: records in the order of the file. */
  readonly isRaw: boolean
  readonly startOffset: number
}

type Segment = 'envelope' | 'header' | 'body' | 'extracted'

const CHUNK_OCTETS = 64 * 1024
const HEADER_LINE = /^[^\x00-\x20:\x7f]+[ \t]*:/

/**
 * The text in chunks (latin1). `path` is the file's name in banners and warnings.
 * @throws {RecordError} damaged record; everything before it was yielded
 */
export function* printQueueFile(
  fd: number,
  path: string,
  options: PrintOptions,
  warn: (text: string) => void,
): Generator<string, void, undefined> {
  const printer = new Printer(new RecordFile(fd, options.startOffset), path, options, warn)
  try {
    while (printer.printNext()) {
      if (printer.text.length >= CHUNK_OCTETS) yield printer.takeText()
    }
  } finally {
    yield printer.takeText()
  }
}

class Printer {
  text = ''
  readonly #file: RecordFile
  readonly #path: string
  readonly #options: PrintOptions
  readonly #warn: (text: string) => void
  #segment: Segment = 'envelope'
  #isFirst = true
  /** A text line has begun and not ended. */
  #isInLine = false
  /** Printed without a line end. */
  #isOpenLine = false

  constructor(file: RecordFile, path: string, options: PrintOptions, warn: (text: string) => void) {
    this.#file = file
    this.#path = path
    this.#options = options
    this.#warn = warn
  }

  takeText(): string {
    const { text } = this
    this.text = ''
    return text
  }

  /** False at the end. */
  printNext(): boolean {
    const { isVerbose, isRaw, startOffset } = this.#options
    const position = this.#file.position
    if (this.#isFirst && startOffset === 0 && !this.#begin()) return false
    this.#isFirst = false
    const record = isVerbose ? this.#file.readPlain() : this.#readVisible()
    if (record === undefined) return false
    this.#print(record, position)
    if (record.type === RECORD.pointer && !isRaw) this.#follow(record)
    return record.type !== RECORD.end || (isRaw && isVerbose)
  }

  #follow(pointer: FileRecord): void {
    try {
      this.#file.follow(pointer)
    } catch (error) {
      if (error instanceof RecordError) throw new PointerError(error.message)
      throw error
    }
  }

  #readVisible(): FileRecord | undefined {
    let record = this.#file.read()
    while (record?.type === RECORD.padding) record = this.#file.read()
    return record
  }

  /** Looks at one octet: what follows in some other file may have no end as a record. */
  #begin(): boolean {
    const first = Buffer.alloc(1)
    // eslint-disable-next-line n/no-sync -- a command that has nothing else to do
    if (readSync(this.#file.fd, first, 0, 1, 0) === 0) return false
    if (!isEnvelopeType(first.toString('latin1'))) {
      this.#warn(`${this.#path}: input is not a valid queue file`)
      return false
    }
    if (this.#options.showsEnvelope) this.text += `*** ENVELOPE RECORDS ${this.#path} ***\n`
    return true
  }

  #print(record: FileRecord, position: number): void {
    switch (record.type) {
      case RECORD.size:
        this.#checkSize(record.payload)
        break
      case RECORD.message:
        if (this.#isInContent) this.#warnOrder('message content marker')
        this.#banner('MESSAGE CONTENTS', record, position)
        this.#segment = 'header'
        return
      case RECORD.extracted:
        if (this.#segment === 'envelope') this.#warnOrder('extracted segment marker')
        this.#banner('HEADER EXTRACTED', record, position)
        this.#segment = 'extracted'
        return
      case RECORD.end:
        if (this.#isInContent) this.#warnOrder('message end marker')
        this.#banner('MESSAGE FILE END', record, position)
        return
    }
    if (this.#isInContent) this.#content(record, position)
    else if (this.#options.showsEnvelope) this.#envelope(record, position)
  }

  get #isInContent(): boolean {
    return this.#segment === 'header' || this.#segment === 'body'
  }

  /** Length and place of the content: whoever believes them would get lost. */
  #checkSize(payload: string): void {
    const [size = 0, offset = 0] = payload.trim().split(/ +/).map(Number)
    if (!(size > 0 && offset > 0)) this.#warn(`invalid size record: ${payload}`)
  }

  #warnOrder(what: string): void {
    this.#warn(`${this.#path}: out-of-order ${what}`)
  }

  #banner(name: string, record: FileRecord, position: number): void {
    if (this.#isOpenLine) this.text += '\n'
    this.#isOpenLine = false
    if (!this.#options.showsEnvelope) return
    this.text += `${this.#prefix(record, position)}*** ${name} ${this.#path} ***\n`
  }

  #envelope(record: FileRecord, position: number): void {
    const { type } = record
    const payload = untilNul(record.payload)
    const prefix = this.#prefix(record, position)
    if (type === RECORD.line && !this.#options.isVerbose) {
      this.text += `${prefix}${payload}\n`
      return
    }
    if (type === RECORD.time || type === RECORD.warnTime) {
      this.text += `${prefix}${recordName(type)}: ${formatCtime(leadingNumber(payload))}\n`
      return
    }
    const attribute = type === RECORD.attribute ? parseAttribute(payload) : undefined
    if (typeof attribute === 'string') {
      this.#warn(`${this.#path}: malformed attribute: ${attribute}: ${payload}`)
      this.text += prefix
    } else if (attribute?.name === 'create_time') {
      this.text += `${prefix}create_time: ${formatCtime(leadingNumber(attribute.value))}\n`
    } else {
      this.text += `${prefix}${recordName(type)}: ${payload}\n`
    }
  }

  #content(record: FileRecord, position: number): void {
    const { type, payload } = record
    const isText = type === RECORD.line || type === RECORD.part
    if (isText) this.#findBody(payload)
    const isShown = this.#segment === 'header' ? this.#options.showsHeader : this.#options.showsBody
    if (isText) this.#isInLine = type === RECORD.part
    if (!isShown) return
    const { isVerbose, showsOffset } = this.#options
    const name = type === RECORD.part ? 'unterminated_text' : recordName(type)
    const prefix = this.#prefix(record, position)
    const label = isVerbose || !isText ? `${name}: ` : ''
    const isOpen = type === RECORD.part && !isVerbose && !showsOffset
    this.#isOpenLine = isOpen
    this.text += prefix + label + payload + (isOpen ? '' : '\n')
  }

  /** The header ends at the first line that cannot belong to it. */
  #findBody(payload: string): void {
    if (this.#segment !== 'header' || this.#isInLine) return
    if (!HEADER_LINE.test(payload) && !/^[ \t]/.test(payload)) this.#segment = 'body'
  }

  #prefix(record: FileRecord, position: number): string {
    const { showsOffset, showsType } = this.#options
    const offset = showsOffset ? `${String(position).padStart(9)} ` : ''
    return showsType ? `${offset}${String(record.type.charCodeAt(0)).padStart(3)} ` : offset
  }
}

function leadingNumber(text: string): number {
  return Number(/^\s*-?\d{1,12}/.exec(text)?.[0] ?? 0)
}
