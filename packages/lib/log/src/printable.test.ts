import fc from 'fast-check'
import t from 'tap'
import { printable } from './printable.ts'

t.test('printable() replaces what is not printable', (t) => {
  const cases: [string, string][] = [
    ['plain text', 'plain text'],
    ['a\r\nb\tc\0\x7f', 'a??b?c??'],
    ['j\xc3\xb6e', 'j\xc3\xb6e'],
    ['j\xf6e', 'j?e'],
    ['\xc3', '?'],
    ['\xc0\x80', '??'],
    ['\xed\xa0\x80', '???'],
    ['\xf0\x9f\x93\xa7', '\xf0\x9f\x93\xa7'],
    ['\xf4\x90\x80\x80', '????'],
  ]
  for (const [octets, text] of cases) t.equal(printable(octets), text, JSON.stringify(octets))
  t.equal(printable('a\nb', '_'), 'a_b')
  t.end()
})

t.test('printable() gives valid UTF-8 without control characters, and keeps valid text', (t) => {
  const octets = fc.string({
    unit: fc.integer({ max: 255 }).map((code) => String.fromCharCode(code)),
  })
  fc.assert(
    fc.property(octets, (given) => {
      const text = Buffer.from(printable(given), 'latin1').toString('utf8')
      t.notMatch(text, /[\x00-\x1f\x7f\ufffd]/)
    }),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (given) => {
      const coded = Buffer.from(given.replace(/[\x00-\x1f\x7f]/g, ''), 'utf8').toString('latin1')
      t.equal(printable(coded), coded)
    }),
  )
  t.end()
})
