import t from 'tap'
import { toAsciiName } from './ascii-name.ts'

function octets(name: string): string {
  return Buffer.from(name).toString('latin1')
}

t.test('toAsciiName() converts names beyond ASCII, and only them', (t) => {
  t.equal(toAsciiName('Example.test', false), 'Example.test')
  t.equal(toAsciiName(octets('bücher.test'), false), 'xn--bcher-kva.test')
  t.equal(toAsciiName('bad\xff.test', false), 'bad\xff.test', 'not UTF-8: as it is')
  t.end()
})

t.test('toAsciiName() keeps or replaces the letters that IDNA2003 did not have', (t) => {
  const cases = [
    ['straße.test', 'xn--strae-oqa.test', 'strasse.test'],
    ['βόλος.test', 'xn--nxasmm1c.test', 'xn--nxasmq6b.test'],
    ['نامه\u200cای.test', 'xn--mgba3gch31f060k.test', 'xn--mgba3gch31f.test'],
  ] as const
  for (const [name, kept, replaced] of cases) {
    t.equal(toAsciiName(octets(name), false), kept, name)
    t.equal(toAsciiName(octets(name), true), replaced, `${name}, transitional`)
  }
  t.end()
})
