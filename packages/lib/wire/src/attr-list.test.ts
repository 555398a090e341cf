/**
 * attr-list.test - the three encodings: examples byte by byte, any chunking, limits
 */
import fc from 'fast-check'
import t from 'tap'
import {
  AttrListDecoder,
  decodeAttrList,
  encodeAttrList,
  type Attr,
  type ListDecoder,
} from './attr-list.ts'
import { decodeBase64List, encodeBase64List } from './base64-list.ts'
import { decodePlainList, encodePlainList, PlainListDecoder } from './plain-list.ts'
import { AttrError } from './wire-error.ts'

const rewrite: Attr[] = [
  ['request', 'rewrite'],
  ['rule', 'local'],
  ['address', 'foo@bar'],
]
const rewriteOctets = 'request\0rewrite\0rule\0local\0address\0foo@bar\0\0'

/** All octets but the delimiters of the encoding. */
function octets(without: string, minLength = 0) {
  return fc
    .uint8Array({ minLength, maxLength: 20 })
    .map((bytes) => Buffer.from(bytes).toString('latin1'))
    .map((text) => text.replace(/[^]/g, (octet) => (without.includes(octet) ? 'x' : octet)))
}
const nulAttrs = fc.array(
  fc.tuple(
    octets('\0', 1).map((name) => (name === '{' || name === '}' ? 'x' : name)),
    octets('\0'),
  ),
)
const lineAttrs = fc.array(fc.tuple(octets('\n=', 1), octets('\n')))
const anyAttrs = fc.array(
  fc.tuple(
    octets('', 1).map((name) => (name === '{' || name === '}' ? 'x' : name)),
    octets(''),
  ),
)

function inChunks(decoder: ListDecoder, text: string, sizes: readonly number[]): number {
  let arrived = 0
  let taken = 0
  let next = 0
  while (!decoder.isComplete && arrived < text.length) {
    arrived += sizes[next++ % sizes.length] ?? 1
    taken = decoder.push(text.slice(0, arrived), taken)
  }
  return taken
}

t.test('encodeAttrList() writes the example of the specification', (t) => {
  t.equal(encodeAttrList(rewrite), rewriteOctets)
  t.equal(encodeAttrList([]), '\0')
  t.equal(encodeAttrList([['dummy', '']]), 'dummy\0\0\0')
  t.end()
})

t.test('encodeAttrList() refuses a value that would end early', (t) => {
  t.throws(() => encodeAttrList([['address', 'a\0b']]), AttrError)
  t.throws(() => encodePlainList([['ident', 'a\nb']]), AttrError)
  t.end()
})

t.test('encodeAttrList() brackets a table with braces that have no value', (t) => {
  const attrs: Attr[] = [
    ['size', '1'],
    ['{', ''],
    ['j', 'host'],
    ['}', ''],
    ['x', '{'],
  ]
  const wire = 'size\x001\0{\0j\0host\0}\0x\0{\0\0'
  t.equal(encodeAttrList(attrs), wire)
  t.same(decodeAttrList(wire), { attrs, end: wire.length })
  t.end()
})

t.test('decodeAttrList() leaves what follows the list', (t) => {
  t.same(decodeAttrList(`xx${rewriteOctets}status\0`, 2), {
    attrs: rewrite,
    end: 2 + rewriteOctets.length,
  })
  t.same(decodeAttrList('\0rest'), { attrs: [], end: 1 })
  for (let length = 0; length < rewriteOctets.length; length += 1) {
    t.equal(decodeAttrList(rewriteOctets.slice(0, length)), undefined, `${length} octets`)
  }
  t.end()
})

t.test('plain lists: equals signs in values, lines without one', (t) => {
  const wire = 'request=connect\nident=a=b\n\n'
  const attrs: Attr[] = [
    ['request', 'connect'],
    ['ident', 'a=b'],
  ]
  t.equal(encodePlainList(attrs), wire)
  t.same(decodePlainList(wire), { attrs, end: wire.length })
  t.same(decodePlainList('junk\nrequest=connect\n\n'), {
    attrs: [['request', 'connect']],
    end: 22,
  })
  t.equal(decodePlainList('request=connect\n'), undefined)
  t.end()
})

t.test('base64 lists: example and malformed lines', (t) => {
  t.equal(encodeBase64List([['a', 'b']]), 'YQ==:Yg==\n\n')
  t.throws(() => decodeBase64List('YQ==\n\n'), AttrError)
  t.throws(() => decodeBase64List('YQ:Yg==\n\n'), AttrError)
  t.throws(() => decodeBase64List('x'.repeat(1_048_577)), AttrError)
  t.end()
})

t.test('every encoding survives the wire', (t) => {
  fc.assert(
    fc.property(nulAttrs, (attrs) => {
      t.same(decodeAttrList(encodeAttrList(attrs))?.attrs, attrs)
    }),
  )
  fc.assert(
    fc.property(lineAttrs, (attrs) => {
      t.same(decodePlainList(encodePlainList(attrs))?.attrs, attrs)
    }),
  )
  fc.assert(
    fc.property(anyAttrs, (attrs) => {
      t.same(decodeBase64List(encodeBase64List(attrs))?.attrs, attrs)
    }),
  )
  t.end()
})

t.test('any chunking gives the same list and leaves the same rest', (t) => {
  const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 })
  fc.assert(
    fc.property(nulAttrs, sizes, (attrs, sizes) => {
      const decoder = new AttrListDecoder()
      const wire = encodeAttrList(attrs)
      t.equal(inChunks(decoder, `${wire}rest`, sizes), wire.length)
      t.same(decoder.attrs, attrs)
    }),
  )
  fc.assert(
    fc.property(lineAttrs, sizes, (attrs, sizes) => {
      const decoder = new PlainListDecoder()
      const wire = encodePlainList(attrs)
      t.equal(inChunks(decoder, `${wire}rest`, sizes), wire.length)
      t.same(decoder.attrs, attrs)
    }),
  )
  t.end()
})

t.test('a list that grows beyond its limits is refused before it ends', (t) => {
  t.throws(() => decodeAttrList('x'.repeat(1_048_577)), AttrError, 'one endless name')
  t.throws(() => decodeAttrList(`a\0${'x'.repeat(1_048_577)}`), AttrError, 'one endless value')
  t.throws(() => decodeAttrList('a\0\0'.repeat(10_001)), AttrError, 'too many attributes')
  t.throws(() => decodeAttrList('{\0'.repeat(10_001)), AttrError, 'too many braces')
  t.throws(() => decodePlainList('a=\n'.repeat(10_001)), AttrError)
  t.throws(() => decodePlainList('a\n'.repeat(10_001)), AttrError, 'lines that are skipped count')
  t.throws(() => decodePlainList('x'.repeat(1_048_577)), AttrError)
  const value = 'x'.repeat(1_048_570)
  t.same(decodeAttrList(`a\0${value}\0\0more`)?.attrs, [['a', value]])
  const decoder = new AttrListDecoder()
  const step = `a\0${'x'.repeat(997)}\0`
  t.throws(() => {
    for (let count = 0; count < 2000; count += 1) decoder.push(step)
  }, AttrError)
  t.end()
})

t.test('decodeAttrList() never does anything but return or throw AttrError', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('\0', '{', '}', 'a', '=', '\n'), { maxLength: 40 }),
      (parts) => {
        const wire = parts.join('')
        const found = decodeAttrList(wire)
        if (found !== undefined) t.equal(encodeAttrList(found.attrs), wire.slice(0, found.end))
        decodePlainList(wire)
      },
    ),
  )
  t.end()
})
