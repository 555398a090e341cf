import t from 'tap'
import { readLogicalLines, trimSpace } from './logical-lines.ts'

function read(source: string): { lines: string[]; warnings: string[] } {
  const warnings: string[] = []
  const lines = readLogicalLines(source, 'main.cf', (text) => {
    warnings.push(text)
  })
  return { lines: lines.map(({ text, first, last }) => `${first}-${last} ${text}`), warnings }
}

t.test('readLogicalLines() joins continuations across comments and empty lines', (t) => {
  t.same(read('a = b\n\tc\n# comment\n\n  \n d\nnext = 1').lines, [
    '1-6 a = b\tc d',
    '7-7 next = 1',
  ])
  t.same(read('a = b\r\nc = d\r\n').lines, ['1-1 a = b\r', '2-2 c = d\r'])
  t.same(read('').lines, [])
  t.same(read('a = x # no comment\n  # a comment\n').lines, ['1-1 a = x # no comment'])
  t.end()
})

t.test('readLogicalLines() leaves out a continuation of nothing', (t) => {
  const { lines, warnings } = read('# first\n  lost\n\tmore\nkept = 1\n')
  t.same(lines, ['4-4 kept = 1'])
  t.same(warnings, ['main.cf: logical line must not start with whitespace: "  lost\tmore"'])
  t.end()
})

t.test('trimSpace() trims ASCII space only', (t) => {
  t.equal(trimSpace(' \t\r\n\v\fa b\x00\xa0 '), 'a b\x00\xa0')
  t.equal(trimSpace(' \n'), '')
  t.end()
})
