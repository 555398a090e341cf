/** mime-scanner.test - where a line stands */
import t from 'tap'
import fc from 'fast-check'
import { MimeScanner } from './mime-scanner.ts'
import { parseContentType, parseEncoding } from './mime-type.ts'

function classify(lines: readonly string[], scanner = new MimeScanner()): string[] {
  return lines.map((line) => `${scanner.line(line)} ${scanner.section ?? '-'} ${scanner.encoding}`)
}

t.test('parseContentType()', (t) => {
  const boundary = (value: string): string | undefined => parseContentType(value).boundary
  t.equal(boundary(' multipart/mixed; boundary="B B"'), 'B B')
  t.equal(boundary(' Multipart/Mixed; charset=x;\n\tBOUNDARY=abc; x=y'), 'abc')
  t.equal(boundary(' multipart/mixed; boundary = "a\\"b"'), 'a"b')
  t.equal(boundary(' multipart/mixed; boundary="open'), 'open')
  t.equal(boundary(' multipart/mixed'), undefined)
  t.equal(boundary(' text/plain; boundary=x'), undefined)
  t.match(parseContentType(' message / RFC822 (x)'), { type: 'message', subtype: 'rfc822' })
  t.match(parseContentType(' nonsense'), { type: 'text', subtype: 'plain' })
  t.equal(parseEncoding(' 8BIT (comment)'), '8bit')
  t.equal(parseEncoding('Base64;'), 'base64')
  t.equal(parseEncoding(' x-own'), 'other')
  t.end()
})

t.test('MimeScanner follows parts and attached messages', (t) => {
  const lines: [string, string][] = [
    ['Subject: x', 'header primary 7bit'],
    ['Content-Type: multipart/mixed;', 'header primary 7bit'],
    ['\tboundary=out', 'continuation primary 7bit'],
    ['', 'separator - 7bit'],
    ['preamble', 'body - 7bit'],
    ['--out', 'boundary part 7bit'],
    ['Content-Type: multipart/digest; boundary=in', 'header part 7bit'],
    ['', 'separator - 7bit'],
    ['--in', 'boundary part 7bit'],
    ['', 'separator nested 7bit'],
    ['Subject: inner', 'header nested 7bit'],
    ['Content-Transfer-Encoding: 8bit', 'header nested 7bit'],
    ['', 'separator - 8bit'],
    ['--in not quite the same', 'boundary part 7bit'],
    ['Content-Type: message/rfc822', 'header part 7bit'],
    ['', 'separator nested 7bit'],
    ['no header', 'body - 7bit'],
    ['--out', 'boundary part 7bit'],
    ['content-transfer-encoding: Base64', 'header part 7bit'],
    ['', 'separator - base64'],
    ['--in', 'body - base64'],
    ['--out--', 'boundary - 7bit'],
    ['--out', 'body - 7bit'],
  ]
  const result = classify(lines.map(([line]) => line))
  t.strictSame(
    result,
    lines.map(([, expected]) => expected),
  )
  t.end()
})

t.test('MimeScanner stops descending at the nesting limit', (t) => {
  const scanner = new MimeScanner({ nestingLimit: 1 })
  const level = (name: string): string[] => [
    `Content-Type: multipart/x; boundary=${name}`,
    '',
    `--${name}`,
  ]
  classify([...level('a'), ...level('b'), ...level('c')], scanner)
  t.equal(scanner.tooDeep, undefined, 'Postfix allows two levels more')
  classify(['Content-Type: message/rfc822', '', ...level('d')], scanner)
  t.equal(scanner.tooDeep, 'Content-Type: multipart/x; boundary=d')
  t.equal(scanner.line('--d'), 'body')
  t.end()
})

t.test('MimeScanner compares boundaries up to the limit', (t) => {
  const scanner = new MimeScanner({ boundaryLimit: 4 })
  classify(['Content-Type: multipart/mixed; boundary=abcdef', ''], scanner)
  t.equal(scanner.line('--abcdxy'), 'boundary')
  t.end()
})

t.test('MimeScanner takes any lines', (t) => {
  const line = fc.constantFrom(
    ...['', ' x', 'a: b', '--', '--b', '--b--', '--c', 'text', 'Content-Type: message/rfc822'],
    ...['Content-Type: multipart/x; boundary=b', 'Content-Type: multipart/digest; boundary=c'],
  )
  const takesAll = fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
    return classify(lines).length === lines.length
  })
  t.doesNotThrow(() => {
    fc.assert(takesAll)
  })
  t.end()
})
