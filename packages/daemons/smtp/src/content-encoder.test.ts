import fc from 'fast-check'
import t from 'tap'
import { ContentEncoder } from './content-encoder.ts'

function encode(chunks: readonly string[], limit: number): string {
  const encoder = new ContentEncoder(limit)
  return chunks.map((chunk) => encoder.push(chunk)).join('') + encoder.finish()
}

/** The text that a server has when it has taken the dots away, and a reader who joins broken lines. */
function decode(wire: string): string {
  return wire
    .split('\r\n')
    .map((line) => (line.startsWith('.') ? line.slice(1) : line))
    .join('\r\n')
}

t.test('ContentEncoder stuffs dots and closes the last line', (t) => {
  t.equal(encode(['.\r\n', '.a\r\n'], 998), '..\r\n..a\r\n')
  t.equal(encode(['a\r\n.', '.b\r\n'], 998), 'a\r\n...b\r\n')
  t.equal(encode(['no end'], 998), 'no end\r\n')
  t.equal(encode(['.'], 998), '..\r\n')
  t.equal(encode([], 998), '')
  t.equal(encode(['a\n.\nb\r\n'], 998), 'a\n..\nb\r\n', 'bare LF cannot end the message')
  t.equal(encode(['a\rb\r\n'], 998), 'a\rb\r\n', 'bare CR passes')
  t.end()
})

t.test('ContentEncoder leaves dots alone where octets are counted', (t) => {
  const encoder = new ContentEncoder(4, false)
  t.equal(encoder.push('.\r\n..a\r\n'), '.\r\n..a\r\n')
  t.equal(encoder.push('.bcde'), '.bcd\r\n e')
  t.equal(encoder.finish(), '\r\n')
  t.end()
})

t.test('ContentEncoder breaks long lines with CRLF SPACE', (t) => {
  t.equal(encode(['abcd\r\n'], 4), 'abcd\r\n')
  t.equal(encode(['abcde\r\n'], 4), 'abcd\r\n e\r\n')
  t.equal(encode(['abcdefg\r\n'], 4), 'abcd\r\n efg\r\n')
  t.equal(encode(['abcdefgh\r\n'], 4), 'abcd\r\n efg\r\n h\r\n')
  t.equal(encode(['abc', 'de\r\n'], 4), 'abcd\r\n e\r\n')
  t.equal(encode(['.bcde\r\n'], 4), '..bcd\r\n e\r\n')
  t.equal(encode(['abcd.\r\n'], 4), 'abcd\r\n .\r\n', 'no stuffing behind the break')
  t.equal(encode(['abcdefgh\r\n'], 0), 'abcdefgh\r\n')
  const encoder = new ContentEncoder(4)
  encoder.push('abcd\r\n')
  t.notOk(encoder.didBreak)
  encoder.push('abcde\r\n')
  t.ok(encoder.didBreak)
  t.end()
})

const line = fc.string({ unit: fc.constantFrom('.', 'a', ' ', '\xe9'), maxLength: 30 })
const text = fc.array(line).map((lines) => lines.map((one) => `${one}\r\n`).join(''))

t.test('any text comes out whole, however it is cut', (t) => {
  fc.assert(
    fc.property(text, fc.nat(20), fc.array(fc.nat(100)), (whole, limitSeed, cuts) => {
      const limit = limitSeed < 4 ? 0 : limitSeed
      // chunks end anywhere but inside CRLF
      const at = [...new Set(cuts)]
        .filter((cut) => cut < whole.length && whole[cut] !== '\n')
        .sort((one, other) => one - other)
      const chunks = [...at, whole.length].map((end, index) => whole.slice(at[index - 1] ?? 0, end))
      const wire = encode(chunks, limit)
      t.notOk(wire.split('\r\n').includes('.'), 'no line is a single dot')
      const longest = Math.max(
        ...decode(wire)
          .split('\r\n')
          .map((one) => one.length),
      )
      t.ok(limit === 0 || longest <= limit, 'no line is too long')
      const joined = limit === 0 ? decode(wire) : decode(wire).replaceAll('\r\n ', '')
      t.equal(joined, limit === 0 ? whole : whole.replaceAll('\r\n ', ''))
    }),
    { numRuns: 300 },
  )
  t.end()
})
