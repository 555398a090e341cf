/** hostname.test - host names and address literals */
import t from 'tap'
import {
  addressOfLiteral,
  isValidAddressLiteral,
  isValidHostname,
  isValidIpAddress,
  isValidUtf8Hostname,
} from './hostname.ts'

t.test('isValidHostname()', (t) => {
  const long = 'a'.repeat(63)
  for (const name of ['a', 'a.b', 'a-b.c', '1a.2', 'a_b.c', `${long}.x`]) {
    t.ok(isValidHostname(name), name)
  }
  const bad = ['', '.', 'a.', '.a', 'a..b', '-a.b', 'a-.b', '1.2.3.4', '12', 'a b', `${long}a.x`]
  for (const name of [...bad, `${`${long}.`.repeat(4)}x`, 'b\xc3\xbc.de']) {
    t.notOk(isValidHostname(name), name)
  }
  t.ok(isValidUtf8Hostname('b\xc3\xbccher.de'))
  t.notOk(isValidUtf8Hostname('b\xfccher.de'))
  t.end()
})

t.test('isValidAddressLiteral()', (t) => {
  for (const text of ['[127.0.0.1]', '[IPv6:::1]', '[ipv6:2001:db8::1]']) {
    t.ok(isValidAddressLiteral(text), text)
  }
  const bad = [
    '127.0.0.1',
    '[127.0.0]',
    '[::1]',
    '[IPv6:127.0.0.1]',
    '[]',
    '[0.1.2.3]',
    '[IPv6:fe80::1%lo]',
  ]
  for (const text of bad) t.notOk(isValidAddressLiteral(text), text)
  t.equal(addressOfLiteral('[IPv6:::1]'), '::1')
  t.ok(isValidIpAddress('10.0.0.1') && isValidIpAddress('::1') && !isValidIpAddress('10.0.0'))
  t.end()
})
