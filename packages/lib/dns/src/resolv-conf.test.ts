import t from 'tap'
import { parseNameServers, parseResolvConf } from './resolv-conf.ts'

t.test('parseResolvConf() reads what concerns us', (t) => {
  const text =
    '# comment\nnameserver 192.0.2.1\nnameserver 2001:db8::1%eth0\nnameserver bad\n' +
    'search a.test b.test\noptions ndots:2 timeout:90 attempts:0 rotate\n'
  t.same(parseResolvConf(text), {
    servers: [
      { address: '192.0.2.1', port: 53 },
      { address: '2001:db8::1', port: 53 },
    ],
    search: ['a.test', 'b.test'],
    ndots: 2,
    timeoutMs: 30_000,
    attempts: 1,
  })
  t.same(parseResolvConf('').servers, [{ address: '127.0.0.1', port: 53 }])
  t.end()
})

t.test('parseNameServers() accepts addresses with and without port', (t) => {
  t.same(parseNameServers('192.0.2.1, [192.0.2.2]:5353 2001:db8::1\n[2001:db8::2]:54'), [
    { address: '192.0.2.1', port: 53 },
    { address: '192.0.2.2', port: 5353 },
    { address: '2001:db8::1', port: 53 },
    { address: '2001:db8::2', port: 54 },
  ])
  for (const bad of ['ns.test', '[192.0.2.1', '192.0.2.1:0', '[192.0.2.1]:x', '192.0.2.1:99999']) {
    t.throws(() => parseNameServers(bad), RangeError, bad)
  }
  t.end()
})
