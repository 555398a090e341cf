/**
 * attr-schema.test - numbers, data, groups, strictness
 */
import fc from 'fast-check'
import t from 'tap'
import { argv } from './attr-groups.ts'
import { decodeAttrList, encodeAttrList, type Attr } from './attr-list.ts'
import { formatInt, formatLong, parseInt32, parseLong } from './attr-number.ts'
import {
  AttrReader,
  data,
  defineList,
  defineRequest,
  group,
  int,
  long,
  text,
} from './attr-schema.ts'
import { AttrError } from './wire-error.ts'

t.test('formatInt() and formatLong() write unsigned decimal', (t) => {
  t.equal(formatInt(0), '0')
  t.equal(formatInt(-1), '4294967295')
  t.equal(formatInt(-2), '4294967294')
  t.equal(formatLong(453), '453')
  t.equal(formatLong(-1), '18446744073709551615')
  t.end()
})

t.test('parseInt32() and parseLong() take what scanf takes', (t) => {
  t.equal(parseInt32('4294967295', 'n'), -1)
  t.equal(parseInt32('-1', 'n'), -1)
  t.equal(parseInt32(' \t+30', 'n'), 30)
  t.equal(parseInt32('0030', 'n'), 30)
  t.equal(parseLong('18446744073709551615', 'n'), -1)
  t.equal(parseLong('-1', 'n'), -1)
  t.equal(parseLong('9007199254740991', 'n'), Number.MAX_SAFE_INTEGER)
  for (const bad of ['', ' ', '-', '1x', 'x', '1 ', '1.0', '0x10', '1e3', '18446744073709551616']) {
    t.throws(() => parseInt32(bad, 'n'), AttrError, bad)
    t.throws(() => parseLong(bad, 'n'), AttrError, bad)
  }
  t.throws(() => parseLong('9007199254740993', 'n'), AttrError)
  t.end()
})

t.test('numbers survive the wire', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (value) => {
      t.equal(parseInt32(formatInt(value), 'n'), value)
    }),
  )
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      t.equal(parseLong(formatLong(value), 'n'), value)
    }),
  )
  t.end()
})

const Sample = defineList({
  status: int('status'),
  inner: group({ first: text('label'), second: text('label') }),
  size: long('size'),
  blob: data('blob'),
})

t.test('defineList() puts attributes in order, groups inline, names twice', (t) => {
  const value = { status: -1, inner: { first: 'a', second: 'b' }, size: 9, blob: 'xyz' }
  const wire = 'status\x004294967295\0label\0a\0label\0b\0size\x009\0blob\0eHl6\0\0'
  t.equal(Sample.encode(value), wire)
  t.equal(encodeAttrList(Sample.format(value)), wire)
  t.same(Sample.parse(decodeAttrList(wire)?.attrs ?? []), value)
  t.end()
})

t.test('defineList() survives the wire', (t) => {
  const octets = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1'))
  const string = octets.map((text) => text.replaceAll('\0', ''))
  const value = fc.record({
    status: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    inner: fc.record({ first: string, second: string }),
    size: fc.maxSafeInteger(),
    blob: octets,
  })
  fc.assert(
    fc.property(value, (value) => {
      t.same(Sample.parse(decodeAttrList(Sample.encode(value))?.attrs ?? []), value)
    }),
  )
  t.end()
})

t.test('a list that lacks, misplaces or adds attributes', (t) => {
  const Pair = defineList({ a: text('a'), b: text('b') })
  const good: Attr[] = [
    ['a', '1'],
    ['b', '2'],
  ]
  const extra: Attr = ['c', '3']
  const [a, b] = good
  if (a === undefined || b === undefined) throw new Error('sample')
  t.same(Pair.parse(good), { a: '1', b: '2' })
  t.throws(() => Pair.parse([a]), AttrError)
  t.throws(() => Pair.parse([]), AttrError)
  t.throws(() => Pair.parse([b, a]), AttrError)
  t.throws(() => Pair.parse([a, extra, b]), AttrError)
  t.throws(() => Pair.parse([a, b, extra]), AttrError)
  t.same(Pair.parse([extra, a, extra, b, extra], 'skip'), { a: '1', b: '2' })
  t.throws(() => Pair.parse([extra, a], 'skip'), AttrError, 'nothing may be missing')
  t.end()
})

t.test('base64 data must be what an encoder writes', (t) => {
  const Blob = defineList({ blob: data('blob') })
  t.same(Blob.parse([['blob', '']]), { blob: '' })
  for (const bad of ['a', 'ab', 'abc', 'ab=c', 'a b=', 'YQ=', 'YQ==YQ==', 'Y-8=', 'YR==']) {
    t.throws(() => Blob.parse([['blob', bad]]), AttrError, bad)
  }
  t.end()
})

t.test('argv: count and values, at most 1024', (t) => {
  const Args = defineList({ args: argv })
  const wire = 'argv_size\x002\0argv_value\0a\0argv_value\0\0\0'
  t.equal(Args.encode({ args: ['a', ''] }), wire)
  t.same(Args.parse(decodeAttrList(wire)?.attrs ?? []), { args: ['a', ''] })
  t.equal(encodeAttrList(Args.format({ args: ['a', ''] })), wire)
  for (const bad of ['1025', '4294967295', '3']) {
    t.throws(() => argv.parse(new AttrReader([['argv_size', bad]], 'refuse')), AttrError, bad)
  }
  t.end()
})

t.test('defineRequest() puts its name first and wants it there', (t) => {
  const Add = defineRequest('add', { site: text('site') })
  t.equal(Add.encode({ site: 'x' }), 'request\0add\0site\0x\0\0')
  t.same(Add.format({ site: 'x' }), [
    ['request', 'add'],
    ['site', 'x'],
  ])
  t.same(
    Add.parse([
      ['request', 'add'],
      ['site', 'x'],
    ]),
    { request: 'add', site: 'x' },
  )
  t.throws(
    () =>
      Add.parse([
        ['request', 'purge'],
        ['site', 'x'],
      ]),
    AttrError,
  )
  t.end()
})
