/** split-address.test - local parts, domains, extensions, letter case */
import t from 'tap'
import {
  foldCase,
  foldCaseUtf8,
  foldDomain,
  splitAddress,
  splitExtension,
} from './split-address.ts'

t.test('splitAddress() splits at the last @', (t) => {
  t.strictSame(splitAddress('user'), { local: 'user', domain: undefined })
  t.strictSame(splitAddress('user@'), { local: 'user', domain: '' })
  t.strictSame(splitAddress('a@b@c.d'), { local: 'a@b', domain: 'c.d' })
  t.end()
})

t.test('splitExtension() splits at the first delimiter', (t) => {
  const rules = { delimiters: '+-', isOwnerRequestSpecial: true, doubleBounce: 'double-bounce' }
  const user = (local: string): string => {
    const split = splitExtension(local, rules)
    return split === undefined ? 'none' : `${split.user}|${split.delimiter}|${split.extension}`
  }
  t.equal(user('ann+x-y'), 'ann|+|x-y')
  t.equal(user('ann-x+y'), 'ann|-|x+y')
  t.equal(user('ann+'), 'ann|+|')
  t.equal(user('ann'), 'none')
  t.equal(user('+x'), 'none')
  t.equal(user('owner-list'), 'none')
  t.equal(user('Owner-list'), 'none')
  t.equal(user('list-request'), 'none')
  t.equal(user('owner-'), 'owner|-|')
  t.equal(user('MAILER-DAEMON'), 'none')
  t.equal(user('double-bounce'), 'none')
  t.equal(splitExtension('owner-list', { ...rules, isOwnerRequestSpecial: false })?.user, 'owner')
  t.equal(splitExtension('owner-list+x', { ...rules, delimiters: '+' })?.user, 'owner-list')
  t.equal(splitExtension('ann+x', { ...rules, delimiters: '' }), undefined)
  t.end()
})

t.test('foldCase() leaves octets above 127 alone', (t) => {
  t.equal(foldCase('Ann\xc9'), 'ann\xc9')
  t.equal(foldCaseUtf8('\xc3\x89A'), '\xc3\xa9a')
  t.equal(foldCaseUtf8('\xc9A'), '\xc9a')
  t.equal(foldDomain('Ann@Host.EXAMPLE'), 'Ann@host.example')
  t.equal(foldDomain('Ann'), 'Ann')
  t.end()
})
