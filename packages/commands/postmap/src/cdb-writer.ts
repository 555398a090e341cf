/**
 * cdb-writer - a constant database as octets
 *
 *   256 x (position, slot count)   of the hash tables
 *   records                        key length, data length, key, data
 *   256 hash tables                (hash, record position); twice as many slots as entries
 *
 * Numbers have 32 bits, little-endian. An entry stands in table (hash mod 256), from slot (hash div 256) mod slots on.
 * Limit: 4 GB, by the format. Sources: cr.yp.to/cdb/cdb.txt.
 */
const TABLES = 256
const HEADER_OCTETS = TABLES * 8
const POSITION_LIMIT = 2 ** 32

/** @throws {RangeError} the database would be larger than the format allows */
export function encodeCdb(entries: Iterable<readonly [key: string, value: string]>): Buffer {
  const parts: Buffer[] = []
  const tables = Array.from({ length: TABLES }, (): [hash: number, position: number][] => [])
  let position = HEADER_OCTETS
  for (const [key, value] of entries) {
    const record = Buffer.from(`${'\0'.repeat(8)}${key}${value}`, 'latin1')
    record.writeUInt32LE(key.length, 0)
    record.writeUInt32LE(value.length, 4)
    parts.push(record)
    const hash = cdbHash(key)
    tables[hash % TABLES]?.push([hash, position])
    position += record.length
    if (position >= POSITION_LIMIT) throw new RangeError('Cannot write cdb: more than 4 GB')
  }
  const header = Buffer.alloc(HEADER_OCTETS)
  for (const [at, table] of tables.entries()) {
    header.writeUInt32LE(position, at * 8)
    header.writeUInt32LE(table.length * 2, at * 8 + 4)
    const slots = encodeSlots(table)
    parts.push(slots)
    position += slots.length
  }
  return Buffer.concat([header, ...parts])
}

function encodeSlots(table: readonly (readonly [hash: number, position: number])[]): Buffer {
  const count = table.length * 2
  const slots = Buffer.alloc(count * 8)
  for (const [hash, position] of table) {
    let slot = Math.floor(hash / TABLES) % count
    while (slots.readUInt32LE(slot * 8 + 4) !== 0) slot = (slot + 1) % count // a record is never at 0
    slots.writeUInt32LE(hash, slot * 8)
    slots.writeUInt32LE(position, slot * 8 + 4)
  }
  return slots
}

/** Bernstein's: h = h * 33 xor octet, from 5381. */
export function cdbHash(key: string): number {
  let hash = 5381
  for (let at = 0; at < key.length; at++) {
    hash = ((Math.imul(hash, 33) >>> 0) ^ key.charCodeAt(at)) >>> 0
  }
  return hash
}
