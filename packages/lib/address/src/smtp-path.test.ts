/** smtp-path.test - arguments of MAIL FROM and RCPT TO */
import t from 'tap'
import { AddressSyntaxError, parseSmtpPath } from './smtp-path.ts'

t.test('parseSmtpPath() takes what Postfix takes', (t) => {
  const cases: [string, string, string][] = [
    ['<user@example.com>', 'user@example.com', ''],
    ['<user@example.com> SIZE=100 BODY=8BITMIME', 'user@example.com', 'SIZE=100 BODY=8BITMIME'],
    ['<>', '', ''],
    [' <user@x.y>', 'user@x.y', ''],
    ['user@x.y SIZE=1', 'user@x.y', 'SIZE=1'],
    ['<"a b"@x.y>', 'a b@x.y', ''],
    ['<"a>b"@x.y> X=1', 'a>b@x.y', 'X=1'],
    ['<@a.b,@c.d:user@e.f>', 'user@e.f', ''],
    ['<user@[127.0.0.1]>', 'user@[127.0.0.1]', ''],
    ['<user@[IPv6:::1]>', 'user@[IPv6:::1]', ''],
    ['<postmaster>', 'postmaster', ''],
    ['<\xc3\xbc@b\xc3\xbc.de> SMTPUTF8', '\xc3\xbc@b\xc3\xbc.de', 'SMTPUTF8'],
    ['<a@b@c.d>', 'a@b@c.d', ''],
  ]
  for (const [text, address, rest] of cases) {
    const path = parseSmtpPath(text)
    t.equal(path.address, address, text)
    t.equal(path.rest, rest, text)
  }
  t.end()
})

t.test('parseSmtpPath() refuses the rest', (t) => {
  for (const text of ['', '<a b@x.y>', '<a@x.y,b@x.y>', '<user@[]>', '<us\x01er@x.y>', '<a@b c>']) {
    t.throws(() => parseSmtpPath(text), AddressSyntaxError, text)
  }
  for (const text of ['user@x.y', ' <user@x.y>', '<user@x.y']) {
    t.throws(() => parseSmtpPath(text, { isStrict: true }), AddressSyntaxError, text)
  }
  t.equal(parseSmtpPath('<"a b"@x.y>', { isStrict: true }).address, 'a b@x.y')
  t.equal(parseSmtpPath('<>', { isStrict: true }).address, '')
  t.end()
})
