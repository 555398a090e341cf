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
    ['<@x.y>', '@x.y', ''],
    ['<<a@x.y>>', 'a@x.y', ''],
    ['<a:b@x.y>', 'a:b@x.y', ''],
    ['<\\a@x.y>', 'a@x.y', ''],
    ['<a@"x".y>', 'a@x.y', ''],
    ['"Name"<a@x.y>', 'a@x.y', ''],
    ['<a@x.y>(comment)', 'a@x.y', ''],
    ['(comment)', '', ''],
    ['<g:a@x.y;>', 'a@x.y', ''],
    ['<,a@x.y>', 'a@x.y', ''],
    ['Name <a@x.y>', 'Name', '<a@x.y>'],
    ['<a@[192.0.2.1>', 'a@[192.0.2.1]', ''],
    ['a)b', 'a)b', ''],
  ]
  for (const [text, address, rest] of cases) {
    const path = parseSmtpPath(text)
    t.equal(path.address, address, text)
    t.equal(path.rest, rest, text)
  }
  t.end()
})

t.test('parseSmtpPath() refuses the rest', (t) => {
  for (const text of [
    '<a b@x.y>',
    '<a@x.y,b@x.y>',
    '<us\x01er@x.y>',
    '<a@b c>',
    '<a>b<c>',
    '<a;b>',
  ]) {
    t.throws(() => parseSmtpPath(text), { name: 'AddressSyntaxError', path: text }, text)
  }
  for (const text of ['<user@x.y', '"user@x.y', '<<a@x.y>', '<a\\>']) {
    t.throws(() => parseSmtpPath(text), { name: 'AddressSyntaxError', path: undefined }, text)
  }
  t.end()
})

t.test('parseSmtpPath() is strict when asked', (t) => {
  for (const text of ['user@x.y', '<(c)a@x.y>', '<a@x.y;>', '<@x.y>', '(c)<a@x.y>', '<a@x.y>(c)']) {
    t.throws(() => parseSmtpPath(text, { isStrict: true }), AddressSyntaxError, text)
  }
  for (const text of [' <a@x.y>', '< a @ x.y >', '<@a.b:a@x.y>']) {
    t.equal(parseSmtpPath(text, { isStrict: true }).address, 'a@x.y', text)
  }
  t.equal(parseSmtpPath('<"a b"@x.y>', { isStrict: true }).address, 'a b@x.y')
  t.equal(parseSmtpPath('<>', { isStrict: true }).address, '')
  t.end()
})
