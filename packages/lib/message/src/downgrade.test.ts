/** downgrade.test - 8-bit parts become quoted-printable */
import t from 'tap'
import fc from 'fast-check'
import { Downgrade } from './downgrade.ts'
import { encodeQuotedPrintable } from './quoted-printable.ts'

function convert(lines: readonly string[]): string[] {
  const downgrade = new Downgrade()
  return [...lines.flatMap((line) => downgrade.line(line)), ...downgrade.finish()]
}

t.test('Downgrade converts what claims to be 8bit', (t) => {
  const message = [
    'Subject: x',
    'Content-Transfer-Encoding: 8bit',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Transfer-Encoding: 8bit',
    '',
    'caf\xe9',
    '--b',
    'Content-Transfer-Encoding: base64',
    '',
    'AAAA',
    '--b',
    '',
    'untold \xe9',
    '--b--',
  ]
  t.strictSame(convert(message), [
    'Subject: x',
    'Content-Type: multipart/mixed; boundary=b',
    'Content-Transfer-Encoding: 7bit',
    '',
    '--b',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    'caf=E9',
    '--b',
    'Content-Transfer-Encoding: base64',
    '',
    'AAAA',
    '--b',
    '',
    'untold \xe9',
    '--b--',
  ])
  t.strictSame(convert(['Content-Transfer-Encoding: 8bit']), [])
  const simple = ['Content-Transfer-Encoding:\n 8bit', '', 'a=b']
  t.strictSame(convert(['Content-Transfer-Encoding: binary', ...simple.slice(1)]), [
    'Content-Transfer-Encoding: quoted-printable',
    '',
    'a=3Db',
  ])
  t.end()
})

t.test('encodeQuotedPrintable() survives decoding', (t) => {
  const decode = (lines: string[]): string =>
    lines
      .map((line, at) => (at < lines.length - 1 ? line.replace(/=$/, '') : line))
      .join('')
      .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  const octet = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))
  const line = fc.string({
    unit: fc.oneof(octet, fc.constantFrom('=', ' ', '.', 'F')),
    maxLength: 300,
  })
  const survives = fc.property(line, (text) => {
    const lines = encodeQuotedPrintable(text)
    const isClean = lines.every((part) => part.length <= 76 && /^[\t\x20-\x7e]*$/.test(part))
    return isClean && !/[ \t]$/.test(lines.at(-1) ?? '') && decode(lines) === text
  })
  t.doesNotThrow(() => {
    fc.assert(survives)
  })
  t.strictSame(encodeQuotedPrintable('.x '), ['=2Ex=20'])
  t.strictSame(encodeQuotedPrintable('From x'), ['=46rom x'])
  t.end()
})

t.test('Downgrade takes message/global as one body, and leaves message/rfc822 its parts', (t) => {
  const attached = (type: string): string[] => [
    `Content-Type: ${type}`,
    'Content-Transfer-Encoding: 8bit',
    '',
    'Subject: \xe9',
    '',
    '\xe9',
  ]
  t.strictSame(convert(attached('message/global')), [
    'Content-Type: message/global',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    'Subject: =E9',
    '',
    '=E9',
  ])
  t.strictSame(convert(attached('message/rfc822')), [
    'Content-Type: message/rfc822',
    'Content-Transfer-Encoding: 7bit',
    '',
    'Subject: \xe9',
    '',
    '\xe9',
  ])
  t.end()
})
