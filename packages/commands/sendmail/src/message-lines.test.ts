/** message-lines.test - reading a message from standard input */
import t from 'tap'
import fc from 'fast-check'
import { readMessageLines, type LineRules } from './message-lines.ts'

const rules: LineRules = { lineLimit: 10, ignoresDots: false, lineEndings: 'always' }

/** `|` ends a line, `+` a piece. */
async function read(text: string, given: Partial<LineRules> = {}, size = 1000): Promise<string> {
  const chunks = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < text.length; at += size) {
      yield await Promise.resolve(Buffer.from(text.slice(at, at + size), 'latin1'))
    }
  }
  let result = ''
  for await (const piece of readMessageLines(chunks(), { ...rules, ...given })) {
    result += piece.text + (piece.endsLine ? '|' : '+')
  }
  return result
}

t.test('readMessageLines() follows the customs of sendmail', async (t) => {
  t.equal(await read('a\n\nb\n'), 'a||b|')
  t.equal(await read('no end'), 'no end+')
  t.equal(await read(''), '')
  t.equal(await read('a\n.\nb\n'), 'a|')
  t.equal(await read('a\n.'), 'a|')
  t.equal(await read('a\n.\r\nb\n'), 'a|')
  t.equal(await read('a\n..\n.b\n'), 'a|..|.b|')
  t.equal(await read('a\n.\nb\n', { ignoresDots: true }), 'a|.|b|')
  t.equal(await read('From x y\n>>From z\nTo: a\nFrom b\n'), 'To: a|From b|')
  t.equal(await read('From\na\n'), 'From|a|')
})

t.test('readMessageLines() fixes line endings', async (t) => {
  t.equal(await read('a\r\nb\r\r\nc\rd\n'), 'a|b|c\rd|')
  t.equal(await read('a\r\nb\n', { lineEndings: 'never' }), 'a\r|b|')
  t.equal(await read('a\r\nb\r\n', { lineEndings: 'strict' }), 'a|b|')
  t.equal(await read('a\nb\r\n', { lineEndings: 'strict' }), 'a|b\r|')
})

t.test('readMessageLines() cuts long lines', async (t) => {
  t.equal(await read(`${'x'.repeat(25)}\ny\n`), 'xxxxxxxxxx+xxxxxxxxxx+xxxxx|y|')
  t.equal(await read(`${'x'.repeat(10)}\ny\n`), 'xxxxxxxxxx+|y|', 'a full piece has no line end')
  t.equal(await read(`${'x'.repeat(10)}\r\ny\n`), 'xxxxxxxxxx+|y|')
  t.equal(await read(`${'x'.repeat(9)}\r\n`), 'xxxxxxxxx\r+|', 'a CR is text until the LF is seen')
  t.equal(await read(`${'x'.repeat(8)}\r\n`), 'xxxxxxxx|')
  t.equal(await read('x'.repeat(25)), 'xxxxxxxxxx+xxxxxxxxxx+xxxxx+')
})

t.test('readMessageLines() does not care how input arrives', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '\n', '\r'), maxLength: 80 })
  const joined = (result: string): string => result.replaceAll('+', '')
  const same = fc.asyncProperty(text, fc.integer({ min: 1, max: 7 }), async (input, size) => {
    return joined(await read(input, {}, size)) === joined(await read(input))
  })
  await t.resolves(fc.assert(same))
})
