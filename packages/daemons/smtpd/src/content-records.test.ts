import fc from 'fast-check'
import t from 'tap'
import { parseRecord } from '@posthorn/queue/record'
import { ContentRecords, type ContentRules } from './content-records.ts'

const RULES: ContentRules = { lineLimit: 20, sizeLimit: 0, bareNewline: 'no' }

/** Feeds `octets` in pieces of `size`, as a stream would; gives the lines that the records stand for. */
function convert(
  octets: string,
  rules: Partial<ContentRules> = {},
  size = octets.length,
): string[] {
  const content = new ContentRecords({ ...RULES, ...rules })
  let pending = ''
  let records = ''
  for (let at = 0; at < octets.length && !content.isAtEnd; at += size) {
    pending += octets.slice(at, at + size)
    pending = pending.slice(content.pushData(pending))
    records += content.takeRecords()
  }
  if (!content.isAtEnd) return ['(no end)']
  return [...linesOf(records), ...(pending === '' ? [] : [`(rest ${JSON.stringify(pending)})`])]
}

function linesOf(records: string): string[] {
  const lines: string[] = []
  let line = ''
  for (let at = 0; at < records.length;) {
    const record = parseRecord(records, at)
    if (record === undefined) throw new Error('records are cut')
    line += record.payload
    if (record.type === 'N') {
      lines.push(line)
      line = ''
    }
    at = record.end
  }
  return lines
}

t.test('ContentRecords.pushData() makes records of lines', (t) => {
  const cases: [string, string[]][] = [
    ['.\r\n', []],
    ['a\r\n\r\nb\r\n.\r\n', ['a', '', 'b']],
    ['a\r\n.\r\nNOOP\r\n', ['a', '(rest "NOOP\\r\\n")']],
    ['a\n.\n', ['a']],
    ['a\r\r\n.\r\n', ['a']],
    ['a\r\n..\r\n...\r\n.x\r\n.\r\n', ['a', '.', '..', 'x']],
    ['a.\r\n.\r\n', ['a.']],
    [' lead\r\nb\r\n.\r\n', ['', ' lead', 'b']],
    ['\tlead\r\n.\r\n', ['', '\tlead']],
    [
      'From x\r\n>From y\r\nFrom: z\r\nFrom b\r\n.\r\n',
      ['X-Mailbox-Line: From x', 'X-Mailbox-Line: >From y', 'From: z', 'From b'],
    ],
    [`a${'b'.repeat(100)}\r\n.\r\n`, [`a${'b'.repeat(100)}`]],
    [`${'b'.repeat(20)}\r\n.\r\n`, ['b'.repeat(20)]],
    [`.${'b'.repeat(50)}\r\n.\r\n`, ['b'.repeat(50)]],
    ['a\0b\r\n\xff\r\n.\r\n', ['a\0b', '\xff']],
    ['a\r\nb', ['(no end)']],
  ]
  for (const [octets, lines] of cases) t.same(convert(octets), lines, JSON.stringify(octets))
  t.end()
})

t.test('ContentRecords.pushData() with bareNewline normalize wants CR LF . CR LF', (t) => {
  const rules = { bareNewline: 'normalize' } as const
  t.same(convert('a\nb\n.\nc\r\n.\nd\n.\r\ne\r\n\r\n.\r\n', rules), ['a', 'b', 'c', 'd', 'e', ''])
  t.same(convert('a\r\r\n.\r\n', rules), ['a\r'])
  t.same(convert('.\r\n', rules), [])
  t.end()
})

t.test('ContentRecords notes a bare LF', (t) => {
  const content = new ContentRecords({ ...RULES, bareNewline: 'reject' })
  content.pushData('a\r\n')
  t.notOk(content.hasBareLf)
  content.pushData('b\n')
  t.ok(content.hasBareLf)
  t.end()
})

t.test('ContentRecords stops at the size limit, and still finds the end', (t) => {
  const content = new ContentRecords({ ...RULES, sizeLimit: 10 })
  content.pushData('12345\r\n')
  t.notOk(content.isOversize)
  content.pushData('67890\r\n')
  t.ok(content.isOversize)
  t.equal(content.takeRecords(), '')
  content.pushData('more\r\n.\r\n')
  t.ok(content.isAtEnd)
  t.end()
})

t.test('ContentRecords gives the same lines whatever the chunks', (t) => {
  const piece = fc.constantFrom(
    '\r\n',
    '\n',
    '.',
    '\r',
    'x',
    'From ',
    ' ',
    'yyyyyyyyyyyyyyyyyyyyyyyyy',
  )
  const same = fc.property(fc.array(piece), fc.integer({ min: 1, max: 30 }), (pieces, size) => {
    const octets = `${pieces.join('')}\r\n.\r\n`
    const whole = convert(octets)
    const parts = convert(octets, {}, size)
    // what follows the end is read at once or later
    const isText = (line: string): boolean => !line.startsWith('(rest')
    t.same(parts.filter(isText), whole.filter(isText))
  })
  fc.assert(same)
  t.end()
})

t.test('ContentRecords.pushChunk() has no dots, and ends an unfinished line', (t) => {
  const content = new ContentRecords(RULES)
  const first = 'a: b\r\n\r\n.\r\nlo'
  const used = content.pushChunk(first, false)
  const rest = first.slice(used)
  t.equal(rest, 'lo')
  content.pushChunk(`${rest}ng`, true)
  t.same(linesOf(content.takeRecords()), ['a: b', '', '.', 'long'])
  t.equal(content.octets, 6 + 2 + 3 + 6)
  t.end()
})
