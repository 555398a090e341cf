import t from 'tap'
import { addressKeys, domainKeys, mailKeys, type AccessKey } from './access-keys.ts'

/** Keys in their order; parts, which pattern tables are not asked for, in parentheses. */
const show = (keys: readonly AccessKey[]): string =>
  keys.map(({ key, isPart }) => (isPart ? `(${key})` : key)).join(' ')

t.test('access keys, from the most specific to the most general', (t) => {
  const rules = { delimiters: '+', isOwnerRequestSpecial: true }
  t.equal(show(domainKeys('a.b.c', false)), 'a.b.c (b.c) (c)')
  t.equal(show(domainKeys('a.b.c', true)), 'a.b.c (.b.c) (.c)')
  t.equal(show(addressKeys('192.0.2.1')), '192.0.2.1 (192.0.2) (192.0) (192)')
  t.equal(show(addressKeys('2001:db8::1')), '2001:db8::1 (2001:db8) (2001)')
  t.equal(show(mailKeys('u+x@a.b', rules, false)), 'u+x@a.b (u@a.b) (a.b) (b) (u+x@) (u@)')
  t.equal(show(mailKeys('user', rules, false)), 'user')
  t.end()
})
