import t from 'tap'
import { listNexthops, parseKnownPorts, parseNexthop } from './nexthop.ts'

const rules = {
  defaultPort: 'smtp',
  knownPorts: parseKnownPorts('lmtp=24, smtp=25, smtps=submissions=465, submission=587'.split(',')),
  allowsUtf8: true,
}

t.test('parseNexthop() reads what people write', (t) => {
  const cases: [string, string, string, number, boolean][] = [
    ['example.com', 'example.com', 'smtp', 25, false],
    ['example.com:', 'example.com', 'smtp', 25, false],
    ['example.com:submissions', 'example.com', 'submissions', 465, false],
    ['[mx.example.com]', 'mx.example.com', 'smtp', 25, true],
    ['[mx.example.com]:2525', 'mx.example.com', '2525', 2525, true],
    ['[192.0.2.1]:26', '192.0.2.1', '26', 26, true],
    ['[IPv6:2001:db8::1]:26', '2001:db8::1', '26', 26, true],
    ['[ipv6:::1]', '::1', 'smtp', 25, true],
    ['192.0.2.1', '192.0.2.1', 'smtp', 25, false],
    ['m\xc3\xbcller.example', 'm\xc3\xbcller.example', 'smtp', 25, false],
  ]
  for (const [element, host, service, port, isBracketed] of cases) {
    t.same(parseNexthop(element, rules), { element, host, service, port, isBracketed })
  }
  t.end()
})

t.test('parseNexthop() refuses the rest in the words of Postfix', (t) => {
  const cases: [string, string][] = [
    ['[mx', 'missing "]" in server description: [mx'],
    ['[mx]25', 'garbage after "]" in server description: [mx]25'],
    ['[IPv6:zz]', 'malformed IPv6 address in server description: [IPv6:zz]'],
    [':25', 'missing host information in server description: :25'],
    ['a..b', 'valid hostname or network address required in server description: a..b'],
    ['a.b:25x', 'garbage after numerical service in server description: a.b:25x'],
    ['a.b:0', 'bad network port: 0 for destination: a.b:0'],
    ['a.b:65536', 'bad network port: 65536 for destination: a.b:65536'],
    ['a.b:no-such-service', 'unknown service: no-such-service/tcp'],
  ]
  for (const [element, message] of cases) {
    t.throws(() => parseNexthop(element, rules), { message }, element)
  }
  t.end()
})

t.test('listNexthops() splits, and appends the fallback relays', (t) => {
  t.same(listNexthops('a.test, b.test:26\tc.test', ['d.test']), [
    'a.test',
    'b.test:26',
    'c.test',
    'd.test',
  ])
  t.end()
})
