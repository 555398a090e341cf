import fc from 'fast-check'
import t from 'tap'
import { DatabaseFormatError, readBerkeley } from './berkeley-file.ts'
import { readCdb } from './cdb-file.ts'

/** A cdb file: header, records, hash tables (here: one slot each, as a reader of everything needs none). */
function makeCdb(entries: readonly (readonly [string, string])[]): Buffer {
  const records = entries.map(([key, value]) => {
    const lengths = Buffer.alloc(8)
    lengths.writeUInt32LE(key.length, 0)
    lengths.writeUInt32LE(value.length, 4)
    return Buffer.concat([lengths, Buffer.from(key + value, 'latin1')])
  })
  const body = Buffer.concat(records)
  const header = Buffer.alloc(2048)
  for (let at = 0; at < 2048; at += 8) header.writeUInt32LE(2048 + body.length, at)
  return Buffer.concat([header, body, Buffer.alloc(16)])
}

t.test('readCdb() gives back what is in the file', (t) => {
  const text = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  })
  const survives = fc.property(fc.array(fc.tuple(text, text)), (entries) => {
    const found: [string, string][] = []
    readCdb(makeCdb(entries), (key, value) => found.push([key, value]))
    return JSON.stringify(found) === JSON.stringify(entries)
  })
  t.doesNotThrow(() => {
    fc.assert(survives)
  })
  t.end()
})

t.test('readCdb() and readBerkeley() refuse damaged files, and end', (t) => {
  const ignore = (): void => undefined
  for (const read of [readCdb, readBerkeley]) {
    const ends = fc.property(fc.uint8Array({ maxLength: 5000 }), (octets) => {
      try {
        read(Buffer.from(octets), ignore)
        return true
      } catch (error) {
        return error instanceof DatabaseFormatError
      }
    })
    t.doesNotThrow(() => {
      fc.assert(ends)
    })
  }
  t.throws(
    () => {
      readCdb(makeCdb([['a', 'b']]).subarray(0, 2050), ignore)
    },
    { code: 'POSTHORN_DATABASE_FORMAT' },
  )
  t.end()
})
