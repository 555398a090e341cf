import t from 'tap'
import { parseAliasLines, parseAliasValue } from './alias-value.ts'

function said(value: string): string[] {
  return parseAliasValue(value).map((one) => {
    switch (one.kind) {
      case 'address':
        return `to ${one.address}`
      case 'command':
        return `| ${one.command}`
      default:
        return `${one.kind} ${one.path}`
    }
  })
}

t.test('parseAliasValue() tells destinations apart', (t) => {
  t.same(said('ann, bob@x.test'), ['to ann', 'to bob@x.test'])
  t.same(said('Ann Doe <ann@x.test> (boss, she), bob (x)'), ['to ann@x.test', 'to bob'])
  t.same(said('ann bob'), ['to ann', 'to bob'], 'blanks separate, too')
  t.same(said('/var/mail/copy, "/var/mail/my copy"'), [
    'file /var/mail/copy',
    'file /var/mail/my copy',
  ])
  t.same(said('|/bin/true, "|filter -x, -y"'), ['| /bin/true', '| filter -x, -y'])
  t.same(said(':include:/etc/list, ":include:/my list"'), ['include /etc/list', 'include /my list'])
  t.same(said(':INCLUDE:/etc/list'), ['include /etc/list'])
  t.same(said('"a b"@x.test, user/name@x.test'), ['to a b@x.test', 'to user/name@x.test'])
  t.same(said('\\root, \\\\root'), ['to root', 'to \\root'])
  t.same(said('""'), ['to '])
  t.same(said('<>'), [], 'nobody')
  t.same(said(' , ,'), [])
  t.same(said('"unterminated, x'), ['to unterminated, x'])
  t.end()
})

t.test('parseAliasLines() reads line by line', (t) => {
  const found = parseAliasLines('# people\nann\n\nbob, carl\n #not\n', 100)
  t.same(found.slice(0, 3), [
    { kind: 'address', address: 'ann' },
    { kind: 'address', address: 'bob' },
    { kind: 'address', address: 'carl' },
  ])
  t.same(parseAliasLines('annbob', 3).length, 2, 'a line that is too long is cut')
  t.end()
})
