/**
 * berkeley-file - the entries of a Berkeley DB file (hash or btree), read without the library
 *
 * Page 0 tells type and page size. Every page has its entry count at 20, its type at 25 and, from 26, the offsets of its
 * items. Hash pages (13, 2) and btree leaves (5) hold key, data, key, data. Long items stand on chains of overflow pages
 * (7). Other pages do not matter to a reader of everything. The byte order is that of the machine that wrote the file.
 * Sources: the file format of Berkeley DB 5.3.
 */

const MAGIC_HASH = 0x00061561
const MAGIC_BTREE = 0x00053162
const PAGE_HEADER = 26
const HASH_PAGES = [2, 13]
const LEAF_PAGE = 5
const INLINE = 1
const OFF_PAGE = 3
const DELETED = 0x80

/** The file is damaged, or is none of ours. */
export class DatabaseFormatError extends Error {
  readonly code = 'POSTHORN_DATABASE_FORMAT'
}

export type EntryVisitor = (key: string, value: string) => void

/** Calls `visit` for every entry, in the order of the file. @throws {DatabaseFormatError} */
export function readBerkeley(file: Buffer, visit: EntryVisitor): void {
  if (file.length === 0) return
  if (file.length < 512) throw new DatabaseFormatError('file too short')
  const isLittle = [MAGIC_HASH, MAGIC_BTREE].includes(file.readUInt32LE(12))
  const reader = new PageReader(file, isLittle)
  const magic = reader.u32(12)
  if (magic !== MAGIC_HASH && magic !== MAGIC_BTREE) {
    throw new DatabaseFormatError('not a hash or btree database')
  }
  for (let page = reader.pageSize; page + reader.pageSize <= file.length; page += reader.pageSize) {
    const type = file.readUInt8(page + 25)
    if (HASH_PAGES.includes(type)) reader.visitPairs(page, (at) => reader.hashItem(page, at), visit)
    else if (type === LEAF_PAGE) reader.visitPairs(page, (at) => reader.leafItem(page, at), visit)
  }
}

class PageReader {
  readonly pageSize: number
  readonly #file: Buffer
  readonly #isLittle: boolean

  constructor(file: Buffer, isLittle: boolean) {
    this.#file = file
    this.#isLittle = isLittle
    this.pageSize = this.u32(20)
    const isPower = (this.pageSize & (this.pageSize - 1)) === 0
    if (!isPower || this.pageSize < 512 || this.pageSize > 65_536) {
      throw new DatabaseFormatError(`bad page size ${this.pageSize}`)
    }
  }

  u16(at: number): number {
    if (at + 2 > this.#file.length) throw new DatabaseFormatError('offset beyond the end')
    return this.#isLittle ? this.#file.readUInt16LE(at) : this.#file.readUInt16BE(at)
  }

  u32(at: number): number {
    if (at + 4 > this.#file.length) throw new DatabaseFormatError('offset beyond the end')
    return this.#isLittle ? this.#file.readUInt32LE(at) : this.#file.readUInt32BE(at)
  }

  /** @param item undefined for an item that was deleted or that is not plain data */
  visitPairs(page: number, item: (at: number) => string | undefined, visit: EntryVisitor): void {
    const count = this.u16(page + 20)
    if (PAGE_HEADER + 2 * count > this.pageSize) throw new DatabaseFormatError('bad entry count')
    for (let at = 0; at + 1 < count; at += 2) {
      const key = item(at)
      const value = item(at + 1)
      if (key !== undefined && value !== undefined) visit(key, value)
    }
  }

  /** Hash items are packed from the end of the page: one ends where the one before it begins. */
  hashItem(page: number, at: number): string | undefined {
    const start = this.#itemOffset(page, at)
    const end = at === 0 ? this.pageSize : this.#itemOffset(page, at - 1)
    if (start >= end) throw new DatabaseFormatError('bad item offset')
    const type = this.#file.readUInt8(page + start)
    if (type === INLINE) return this.#text(page + start + 1, page + end)
    return type === OFF_PAGE ? this.#chain(page + start) : undefined
  }

  /** Btree items carry length and type. */
  leafItem(page: number, at: number): string | undefined {
    const start = page + this.#itemOffset(page, at)
    const length = this.u16(start)
    const type = this.#file.readUInt8(start + 2)
    if ((type & DELETED) !== 0) return undefined
    if (type === INLINE) return this.#text(start + 3, start + 3 + length)
    return type === OFF_PAGE ? this.#chain(start) : undefined
  }

  #itemOffset(page: number, at: number): number {
    const offset = this.u16(page + PAGE_HEADER + 2 * at)
    if (offset < PAGE_HEADER || offset >= this.pageSize)
      throw new DatabaseFormatError('bad item offset')
    return offset
  }

  #text(start: number, end: number): string {
    if (end > this.#file.length) throw new DatabaseFormatError('item beyond the end')
    return this.#file.toString('latin1', start, end)
  }

  /** An item on overflow pages: first page at +4, length at +8. */
  #chain(item: number): string {
    let page = this.u32(item + 4)
    const total = this.u32(item + 8)
    if (total > this.#file.length) throw new DatabaseFormatError('bad overflow length')
    let text = ''
    while (page !== 0 && text.length < total) {
      const start = page * this.pageSize
      const length = this.u16(start + 22)
      if (length === 0) break
      text += this.#text(start + PAGE_HEADER, start + PAGE_HEADER + length)
      page = this.u32(start + 16)
    }
    if (text.length !== total) throw new DatabaseFormatError('broken overflow chain')
    return text
  }
}
