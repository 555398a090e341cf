import t from 'tap'
import { prepare, saslName } from './sasl-name.ts'

const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

t.test('prepare() has the examples of RFC 4013 3', (t) => {
  t.equal(prepare(utf8('I\u00adX')), 'IX')
  t.equal(prepare('user'), 'user')
  t.equal(prepare('USER'), 'USER')
  t.equal(prepare(utf8('\u00aa')), 'a')
  t.equal(prepare(utf8('\u2168')), 'IX')
  t.end()
})

t.test('prepare() maps blanks, and keeps what it cannot prepare', (t) => {
  t.equal(prepare(utf8('a\u00a0b\u3000c')), 'a b c')
  for (const octets of ['\x07', '\xe4', utf8('a\u0007\u00e4'), utf8('\u00ad'), utf8('\ufffd')]) {
    t.equal(prepare(octets), octets)
  }
  t.end()
})

t.test('saslName() escapes what separates', (t) => {
  t.equal(saslName('a,b=c'), 'a=2Cb=3Dc')
  t.end()
})
