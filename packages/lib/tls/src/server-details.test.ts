import t from 'tap'
import { keyExchangeOf } from './server-details.ts'

/** A session with these fields, in DER. */
function sessionWith(...fields: string[]): Buffer {
  const content = Buffer.from(fields.join(''), 'hex')
  return Buffer.concat([Buffer.of(0x30, content.length), content])
}

t.test('keyExchangeOf() reads the group from the session', (t) => {
  const version = '020101'
  const named = (keyExchange: string, keyExchangeCurve = '', keyExchangeBits = 0) => ({
    keyExchange,
    keyExchangeCurve,
    keyExchangeBits,
  })
  t.same(keyExchangeOf(sessionWith(version, 'b30302011d')), named('X25519'))
  t.same(keyExchangeOf(sessionWith(version, 'b303020118')), named('ECDHE', 'secp384r1'))
  t.same(keyExchangeOf(sessionWith(version, 'b30402020100')), named('DHE', '', 2048))
  t.same(keyExchangeOf(sessionWith(version, 'b304020211ec')), named('X25519MLKEM768'))
  t.same(keyExchangeOf(sessionWith(version)), named(''), 'no group')
  t.same(keyExchangeOf(sessionWith(version, 'b3030201ff')), named(''), 'an unknown one')
  t.same(keyExchangeOf(Buffer.from('30ff', 'hex')), named(''), 'no session')
  t.same(keyExchangeOf(undefined), named(''))
  t.end()
})
