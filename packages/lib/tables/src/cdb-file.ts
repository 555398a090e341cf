/**
 * cdb-file - the entries of a constant database
 *
 * 256 pairs of (position, slots) of 32 bits, little-endian; from 2048 the records: key length, data length, key, data;
 * then the hash tables, which a reader of everything does not need: the first of them ends the records.
 * Sources: cr.yp.to/cdb/cdb.txt.
 */
import { DatabaseFormatError, type EntryVisitor } from './berkeley-file.ts'

const HEADER = 2048

/** Calls `visit` for every entry, in the order of the file. @throws {DatabaseFormatError} */
export function readCdb(file: Buffer, visit: EntryVisitor): void {
  if (file.length < HEADER) throw new DatabaseFormatError('file too short')
  let end = file.readUInt32LE(0)
  for (let at = 8; at < HEADER; at += 8) end = Math.min(end, file.readUInt32LE(at))
  if (end > file.length) throw new DatabaseFormatError('file too short')
  let at = HEADER
  while (at + 8 <= end) {
    const key = at + 8
    const data = key + file.readUInt32LE(at)
    const next = data + file.readUInt32LE(at + 4)
    if (next > end) throw new DatabaseFormatError('record beyond the end')
    visit(file.toString('latin1', key, data), file.toString('latin1', data, next))
    at = next
  }
}
