import t from 'tap'
import { isUtf8, parseCommand } from './command.ts'
import { parseAddress, parseClientAttributes, parseName, parsePort } from './client-attributes.ts'
import { CommandCounts } from './command-counts.ts'
import { escapeText } from './escape-text.ts'
import { maskAddress } from './mask-address.ts'
import { decodeUnitext, decodeXtext } from './xtext.ts'
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
  t.equal(parseCommand('HELO a\x1bb\xff').argument, 'a?b\xff')
  t.equal(parseCommand('MAIL\rFROM:<a>\t\r').verb, 'MAIL')
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
  t.equal(decodeXtext('a=b+2b'), 'a=b+', 'as liberal as Postfix')
  t.equal(decodeXtext('a+'), undefined)
  t.end()
})

t.test('decodeUnitext()', (t) => {
  t.equal(decodeUnitext('a\\x{20AC}+2b'), 'a\xe2\x82\xac+2b')
  t.equal(decodeUnitext('a\\x{zz}'), undefined)
  t.equal(decodeUnitext('a\\b'), undefined)
  t.equal(decodeUnitext('\\x{110000}'), undefined)
  t.end()
})

t.test('parseClientAttributes()', (t) => {
  const parse = (text: string): unknown => parseClientAttributes(text.split(' '))
  t.same(parse('name=a.example Addr=192.0.2.1 HELO=a+20<b>'), [
    ['NAME', 'a.example'],
    ['ADDR', '192.0.2.1'],
    ['HELO', 'a??b?'],
  ])
  t.throws(() => parse('NAME'), { message: 'Error: attribute=value expected' })
  t.throws(() => parse('NAME='), { message: 'Error: attribute=value expected' })
  t.throws(() => parse(`NAME=${'a'.repeat(256)}`), {
    message: 'Error: attribute value too long',
  })
  t.throws(() => parseName('NAME', '-a'), { message: 'Bad NAME syntax: -a' })
  t.equal(parseName('NAME', '[Unavailable]'), 'unknown')
  t.equal(parseAddress('ADDR', 'IPv6:2001:db8::1', true), '2001:db8::1')
  t.throws(() => parseAddress('ADDR', 'IPv6:2001:db8::1', false), {
    message: 'Bad ADDR syntax: IPv6:2001:db8::1',
  })
  t.throws(() => parsePort('PORT', 'x'), { message: 'Bad PORT syntax: x' })
  t.end()
})

t.test('replyText() fits the class of the enhanced code to the reply code', (t) => {
  t.equal(replyText(554, '5.7.1', 'no'), '554 5.7.1 no')
  t.equal(replyText(454, '5.7.1', 'no'), '454 4.7.1 no')
  t.equal(replyText(450, '5.7.1', '5.1.1 no'), '450 4.1.1 no')
  t.end()
})
