import t from 'tap'
import { isUtf8, parseCommand } from './command.ts'
import { CommandCounts } from './command-counts.ts'
import { escapeText } from './escape-text.ts'
import { maskAddress } from './mask-address.ts'
import { decodeXtext } from './xtext.ts'
import { reverseAddress } from './restrictions/reverse-address.ts'
import { replyText } from './restrictions/reply-text.ts'

t.test('parseCommand()', (t) => {
  t.same(parseCommand(''), { verb: '', argument: '', words: [] })
  t.same(parseCommand('  '), { verb: '', argument: '', words: [] })
  t.same(parseCommand('\0x'), { verb: '', argument: '', words: [] })
  t.same(parseCommand(' NOOP '), { verb: 'NOOP', argument: '', words: [] })
  t.same(parseCommand('mail  FROM:<a b>\tSIZE=1 '), {
    verb: 'mail',
    argument: 'FROM:<a b> SIZE=1',
    words: ['FROM:<a', 'b>', 'SIZE=1'],
  })
  t.equal(parseCommand('HELO a\x1bb\xff').argument, 'a?b?')
  t.end()
})

t.test('isUtf8()', (t) => {
  t.ok(isUtf8('plain'))
  t.ok(isUtf8('j\xc3\xb6e'))
  t.notOk(isUtf8('j\xf6e'))
  t.end()
})

t.test('CommandCounts: order, totals where they differ', (t) => {
  const counts = new CommandCounts()
  t.equal(counts.toString(), 'commands=0/0')
  for (const name of ['quit', 'ehlo', 'rcpt', 'rcpt', 'unknown']) counts.came(name)
  for (const name of ['quit', 'ehlo', 'rcpt']) counts.succeeded(name)
  t.equal(counts.toString(), 'ehlo=1 rcpt=1/2 quit=1 unknown=0/1 commands=3/5')
  t.end()
})

t.test('escapeText()', (t) => {
  t.equal(escapeText('a\r\n\\\x01\xff'), 'a\\r\\n\\\\\\001\\377')
  t.end()
})

t.test('maskAddress()', (t) => {
  t.equal(maskAddress('192.0.2.77', 32), '192.0.2.77')
  t.equal(maskAddress('192.0.2.77', 24), '192.0.2.0')
  t.equal(maskAddress('192.0.2.77', 27), '192.0.2.64')
  t.equal(maskAddress('2001:db8:1:2:3:4:5:6', 84), '2001:db8:1:2:3::')
  t.equal(maskAddress('2001:db8::1', 128), '2001:db8::1')
  t.end()
})

t.test('reverseAddress()', (t) => {
  t.equal(reverseAddress('192.0.2.1'), '1.2.0.192')
  t.equal(
    reverseAddress('2001:db8::1'),
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2',
  )
  t.equal(reverseAddress('unknown'), undefined)
  t.end()
})

t.test('decodeXtext()', (t) => {
  t.equal(decodeXtext('a+2Bb+3D'), 'a+b=')
  t.equal(decodeXtext('a+zz'), undefined)
  t.equal(decodeXtext('a=b'), undefined)
  t.end()
})

t.test('replyText() fits the class of the enhanced code to the reply code', (t) => {
  t.equal(replyText(554, '5.7.1', 'no'), '554 5.7.1 no')
  t.equal(replyText(454, '5.7.1', 'no'), '454 4.7.1 no')
  t.equal(replyText(450, '5.7.1', '5.1.1 no'), '450 4.1.1 no')
  t.end()
})
