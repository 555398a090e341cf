/** quote-address.test - the two forms of an address */
import t from 'tap'
import fc from 'fast-check'
import { quoteAddress, unquoteAddress } from './quote-address.ts'

t.test('quoteAddress() quotes what the grammar asks for', (t) => {
  const cases: [string, string][] = [
    ['', ''],
    ['user', 'user'],
    ['user@host', 'user@host'],
    ['a b@host', '"a b"@host'],
    ['@host', '""@host'],
    ['.a@host', '".a"@host'],
    ['a.@host', '"a."@host'],
    ['a..b@host', '"a..b"@host'],
    ['a@b@host', '"a@b"@host'],
    ['say "hi"\\@host', '"say \\"hi\\"\\\\"@host'],
    ['\xc3\xbc@host', '\xc3\xbc@host'],
    ['a,b', '"a,b"'],
    ['user@[127.0.0.1]', 'user@[127.0.0.1]'],
  ]
  for (const [internal, external] of cases) {
    t.equal(quoteAddress(internal), external)
    t.equal(unquoteAddress(external), internal)
  }
  t.end()
})

t.test('unquoteAddress() reads forms that nobody has to write', (t) => {
  t.equal(unquoteAddress('"simple"@host'), 'simple@host')
  t.equal(unquoteAddress('"a"."b c"@host'), 'a.b c@host')
  t.equal(unquoteAddress('a\\ b@host'), 'a b@host')
  t.equal(unquoteAddress('"open'), 'open')
  t.equal(unquoteAddress('end\\'), 'end')
  t.end()
})

t.test('unquoteAddress() undoes quoteAddress()', (t) => {
  const part = fc.string({ unit: fc.constantFrom(...Array.from('ab .@"\\(),<>;:[]\xc3\r')) })
  const survives = fc.property(
    part,
    fc.constantFrom('x.y', 'host', '[1.2.3.4]'),
    (local, domain) => {
      return unquoteAddress(quoteAddress(`${local}@${domain}`)) === `${local}@${domain}`
    },
  )
  t.doesNotThrow(() => {
    fc.assert(survives)
  })
  t.end()
})
