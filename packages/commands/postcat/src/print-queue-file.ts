/**
 * print-queue-file - a queue file as readable text
 *
 * Envelope and extracted records are printed with their names, content as the text that it is, unless
 * offsets are asked for or pointers are shown: then each record gets a line of its own.
 * The file offset printed is that of the record, or of the hidden pointers and padding before it.
 * Source: Postfix 3.7 postcat(1).
 */
import { formatCtime } from '@posthorn/queue/ctime'
import { parseAttribute } from '@posthorn/queue/named-attribute'
import { RECORD } from '@posthorn/queue/record'
import { RecordFile, type FileRecord } from '@posthorn/queue/record-file'
import { isEnvelopeType, recordName } from './record-names.ts'

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
    const record = isVerbose ? this.#file.readPlain() : this.#readVisible()
    if (record === undefined) return false
    if (this.#isFirst && startOffset === 0 && !this.#begin(record)) return false
    this.#isFirst = false
    this.#print(record, position)
    if (record.type === RECORD.pointer && !isRaw) this.#file.follow(record)
    return record.type !== RECORD.end || (isRaw && isVerbose)
  }

  #readVisible(): FileRecord | undefined {
    let record = this.#file.read()
    while (record?.type === RECORD.padding) record = this.#file.read()
    return record
  }

  #begin({ type }: FileRecord): boolean {
    if (!isEnvelopeType(type)) {
      this.#warn(`${this.#path}: input is not a valid queue file`)
      return false
    }
    if (this.#options.showsEnvelope) this.text += `*** ENVELOPE RECORDS ${this.#path} ***\n`
    return true
  }

  #print(record: FileRecord, position: number): void {
    switch (record.type) {
      case RECORD.message:
        this.#banner('MESSAGE CONTENTS', record, position)
        this.#segment = 'header'
        return
      case RECORD.extracted:
        if (this.#segment === 'envelope') this.#warnOrder('extracted segment marker')
        this.#banner('HEADER EXTRACTED', record, position)
        this.#segment = 'extracted'
        return
      case RECORD.end:
        this.#banner('MESSAGE FILE END', record, position)
        return
    }
    if (this.#segment === 'header' || this.#segment === 'body') this.#content(record, position)
    else if (this.#options.showsEnvelope) this.#envelope(record, position)
  }

  #warnOrder(what: string): void {
    this.#warn(`${this.#path}: out-of-order ${what}`)
  }

  #banner(name: string, record: FileRecord, position: number): void {
    if (!this.#options.showsEnvelope) return
    this.text += `${this.#prefix(record, position)}*** ${name} ${this.#path} ***\n`
  }

  #envelope(record: FileRecord, position: number): void {
    const { type, payload } = record
    if (type === RECORD.line && !this.#options.isVerbose) {
      this.text += `${payload}\n`
      return
    }
    const prefix = this.#prefix(record, position)
    if (type === RECORD.time || type === RECORD.warnTime) {
      this.text += `${prefix}${recordName(type)}: ${formatCtime(leadingNumber(payload))}\n`
      return
    }
    const attribute = type === RECORD.attribute ? parseAttribute(payload) : ''
    if (typeof attribute !== 'string' && attribute.name === 'create_time') {
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
