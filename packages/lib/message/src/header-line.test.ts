/** header-line.test - names, values and folding */
import t from 'tap'
import {
  foldHeader,
  isContinuation,
  isHeaderStart,
  normalizeHeaderName,
  splitHeaderLine,
  unfoldValue,
} from './header-line.ts'

t.test('splitHeaderLine()', (t) => {
  t.strictSame(splitHeaderLine('Subject: a: b'), { name: 'Subject', value: ' a: b' })
  t.strictSame(splitHeaderLine('To  : x\n\ty'), { name: 'To', value: ' x\n\ty' })
  for (const text of ['', ': x', 'no header', 'X\xe9: y', ' Subject: x', 'a b: c']) {
    t.equal(splitHeaderLine(text), undefined, text)
    t.notOk(isHeaderStart(text), text)
  }
  t.ok(isContinuation('\tx') && isContinuation(' ') && !isContinuation('') && !isContinuation('x'))
  t.equal(normalizeHeaderName('To \t: x'), 'To: x')
  t.equal(normalizeHeaderName('To: x'), 'To: x')
  t.equal(unfoldValue(' a\n\tb\n c'), ' a\tb c')
  t.end()
})

t.test('foldHeader() keeps lines below 70 characters where it can', (t) => {
  const long = 'averyveryverylongaddress@host.example.test,'
  t.equal(foldHeader('To', [long, long, 'x,', 'y']), `To: ${long}\n\t${long} x, y`)
  t.equal(foldHeader('To', ['a'.repeat(80)]), `To: ${'a'.repeat(80)}`)
  t.equal(foldHeader('To', ['a,', '']), 'To: a, ')
  const exact = 'b'.repeat(69 - 'To: a, '.length)
  t.equal(foldHeader('To', ['a,', exact]), `To: a, ${exact}`)
  t.equal(foldHeader('To', ['a,', `${exact}b`]), `To: a,\n\t${exact}b`)
  t.end()
})
