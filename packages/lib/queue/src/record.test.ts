import fc from 'fast-check'
import t from 'tap'
import { RecordError } from './queue-error.ts'
import { encodeAttribute, parseAttribute, pseudoType } from './named-attribute.ts'
import { describeTruncation, encodeRecord, parseRecord, RECORD } from './record.ts'
import { RecordReader } from './record-reader.ts'
import { encodeSizeRecord, parseSizeRecord, SIZE_RECORD_OCTETS } from './size-record.ts'
import { encodeTimeRecord, parseTimeRecord, queueTimeNow } from './time-record.ts'

const octets = (limit: number) =>
  fc.uint8Array({ maxLength: limit }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const letters = fc.constantFrom(...Object.values(RECORD))

t.test('encodeRecord() writes the shortest length', (t) => {
  const lengths: readonly [number, string][] = [
    [0, '00'],
    [95, '5f'],
    [127, '7f'],
    [128, '8001'],
    [904, '8807'],
    [2048, '8010'],
    [10000, '904e'],
  ]
  for (const [length, hex] of lengths) {
    const record = encodeRecord('N', 'x'.repeat(length))
    t.equal(Buffer.from(record.slice(1, 1 + hex.length / 2), 'latin1').toString('hex'), hex)
    t.equal(record.length, 1 + hex.length / 2 + length)
  }
  t.end()
})

t.test('parseRecord() accepts lengths that are not minimal, five octets at most', (t) => {
  t.match(parseRecord('N\x82\x80\x80\x80\x00ab'), { payload: 'ab', end: 8 })
  t.throws(() => parseRecord('N\x82\x80\x80\x80\x80\x00ab'), { code: 'POSTHORN_QUEUE_RECORD' })
  t.equal(parseRecord('N\x82\x80\x80\x80'), undefined)
  t.end()
})

t.test('parseRecord() refuses a long payload before it is there', (t) => {
  t.throws(() => parseRecord('N\x81\x10', 0, 2048), { code: 'POSTHORN_QUEUE_RECORD' })
  t.equal(parseRecord('N\x80\x10', 0, 2048), undefined)
  t.end()
})

t.test('RecordReader gives back what was encoded, however it is cut', (t) => {
  const records = fc.array(fc.record({ type: letters, payload: octets(300) }), { maxLength: 8 })
  fc.assert(
    fc.property(
      records,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (sent, sizes) => {
        const stream = sent.map(({ type, payload }) => encodeRecord(type, payload)).join('')
        const reader = new RecordReader()
        const received = []
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1
          reader.push(stream.slice(at, at + size))
          at += size
          for (let next = reader.next(); next !== undefined; next = reader.next()) {
            received.push({ type: next.type, payload: next.payload })
          }
        }
        reader.end()
        t.same(received, sent)
      },
    ),
    { numRuns: 50 },
  )
  t.end()
})

t.test('RecordReader survives garbage', (t) => {
  fc.assert(
    fc.property(octets(200), (garbage) => {
      const reader = new RecordReader(2048)
      reader.push(garbage)
      try {
        while (reader.next() !== undefined);
        reader.end()
      } catch (error) {
        if (!(error instanceof RecordError)) throw error
      }
    }),
  )
  const reader = new RecordReader()
  reader.push('N\x05abc')
  t.equal(reader.next(), undefined)
  t.equal(reader.pending, 'N\x05abc')
  t.throws(
    () => {
      reader.end()
    },
    { code: 'POSTHORN_QUEUE_RECORD', message: 'unexpected EOF in data, record type 78 length 5' },
  )
  t.equal(describeTruncation('N'), 'unexpected EOF reading length, record type 78')
  t.equal(describeTruncation('N\x80'), 'unexpected EOF reading length, record type 78')
  t.equal(describeTruncation('N\x80\x01x'), 'unexpected EOF in data, record type 78 length 128')
  t.throws(() => parseRecord('S\x81\x10', 0, 2048), {
    message: 'illegal length 2049, record type 83',
  })
  t.end()
})

t.test('encodeRecord() writes a maildrop file as postdrop(1) does', (t) => {
  const file = [
    encodeTimeRecord({ seconds: 1795215826, microseconds: 163043 }),
    encodeAttribute('rewrite_context', 'local'),
    encodeRecord(RECORD.fullName, 'Full Name'),
    encodeRecord(RECORD.sender, 'me@example.org'),
    encodeRecord(RECORD.recipient, 'rcpt@example.net'),
    encodeRecord(RECORD.message),
    ...['Subject: hi', '', 'body'].map((line) => encodeRecord(RECORD.line, line)),
    encodeRecord(RECORD.extracted),
    encodeRecord(RECORD.end),
  ].join('')
  const dump = `
    54 11 31 37 39 35 32 31 35 38 32 36 20 31 36 33 30 34 33
    41 15 72 65 77 72 69 74 65 5f 63 6f 6e 74 65 78 74 3d 6c 6f 63 61 6c
    46 09 46 75 6c 6c 20 4e 61 6d 65
    53 0e 6d 65 40 65 78 61 6d 70 6c 65 2e 6f 72 67
    52 10 72 63 70 74 40 65 78 61 6d 70 6c 65 2e 6e 65 74
    4d 00
    4e 0b 53 75 62 6a 65 63 74 3a 20 68 69
    4e 00
    4e 04 62 6f 64 79
    58 00
    45 00`
  t.equal(Buffer.from(file, 'latin1').toString('hex'), dump.replace(/\s/g, ''))
  t.end()
})

t.test('size and time records survive, and old forms are understood', (t) => {
  const size = {
    dataSize: 251,
    dataOffset: 599,
    recipientCount: 1,
    flags: 24,
    contentLength: 251,
    smtputf8: 0,
  }
  const encoded = encodeSizeRecord(size)
  t.equal(encoded.length, SIZE_RECORD_OCTETS)
  t.equal(
    encoded.slice(2),
    '            251             599               1              24             251               0',
  )
  t.same(parseSizeRecord(encoded.slice(2)), size)
  t.same(parseSizeRecord('251 599 1'), { ...size, flags: 1 })
  t.equal(parseSizeRecord('      251'), undefined)
  for (const bad of ['', 'x', '1 2', '0 599 1', '251 -1 1', '251 599 1 0 -5', '251 599 1 32']) {
    t.throws(() => parseSizeRecord(bad), { code: 'POSTHORN_QUEUE_CORRUPT' }, bad)
  }
  t.same(parseTimeRecord('1795215826 163043'), { seconds: 1795215826, microseconds: 163043 })
  t.same(parseTimeRecord('1795215826'), { seconds: 1795215826, microseconds: 0 })
  t.equal(parseTimeRecord('soon'), undefined)
  const now = queueTimeNow()
  t.ok(now.microseconds >= 0 && now.microseconds < 1_000_000)
  t.end()
})

t.test('parseAttribute() knows the grammar', (t) => {
  t.same(parseAttribute(' name = a = b  '), { name: 'name', value: 'a = b' })
  t.same(parseAttribute('name='), { name: 'name', value: '' })
  t.equal(parseAttribute('name'), "missing '=' after attribute name")
  t.equal(parseAttribute(' =x'), 'missing attribute name')
  t.equal(pseudoType('dsn_orig_rcpt'), RECORD.dsnOriginalRecipient)
  t.equal(pseudoType('encoding'), undefined)
  t.end()
})
