/** cdb-writer.test - constant databases as the format wants them */
import { readCdb } from '@posthorn/tables/cdb-file'
import fc from 'fast-check'
import t from 'tap'
import { cdbHash, encodeCdb } from './cdb-writer.ts'

/** Looks a key up as any reader of the format does: through the hash tables. */
function findInCdb(file: Buffer, key: string): string | undefined {
  const hash = cdbHash(key)
  const table = file.readUInt32LE((hash % 256) * 8)
  const count = file.readUInt32LE((hash % 256) * 8 + 4)
  for (let tried = 0; tried < count; tried++) {
    const slot = table + ((Math.floor(hash / 256) + tried) % count) * 8
    const position = file.readUInt32LE(slot + 4)
    if (position === 0) return undefined
    const data = position + 8 + file.readUInt32LE(position)
    if (file.readUInt32LE(slot) !== hash || file.toString('latin1', position + 8, data) !== key)
      continue
    return file.toString('latin1', data, data + file.readUInt32LE(position + 4))
  }
  return undefined
}

t.test('cdbHash() is that of the format', (t) => {
  t.equal(cdbHash(''), 5381)
  t.equal(cdbHash('a'), (5381 * 33) ^ 0x61)
  t.end()
})

t.test('encodeCdb() makes every key findable, and others not', (t) => {
  const octets = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  })
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(octets, octets), { selector: ([key]) => key }),
      octets,
      (entries, other) => {
        const file = encodeCdb(entries)
        for (const [key, value] of entries) if (findInCdb(file, key) !== value) return false
        const read: [string, string][] = []
        readCdb(file, (key, value) => read.push([key, value]))
        const isKnown = entries.some(([key]) => key === other)
        return read.length === entries.length && (isKnown || findInCdb(file, other) === undefined)
      },
    ),
  )
  const empty = encodeCdb([])
  t.equal(empty.length, 2048)
  t.equal(findInCdb(empty, 'x'), undefined)
  const many = Array.from({ length: 5000 }, (_, at): [string, string] => [`key${at}`, `value${at}`])
  const file = encodeCdb(many)
  t.ok(many.every(([key, value]) => findInCdb(file, key) === value))
  t.end()
})
