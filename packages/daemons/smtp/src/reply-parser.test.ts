import fc from 'fast-check'
import t from 'tap'
import { socketPair } from '@posthorn/native/socket'
import { captureLog } from '@posthorn/log/capture-log'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { readReply, type Reply } from './reply-parser.ts'

async function parse(
  octets: string,
  options: { chunks?: number[]; lineLimit?: number } = {},
): Promise<{ replies: Reply[]; garbage: string[]; log: string[] }> {
  const [one, other] = socketPair()
  const stream = new ByteStream(one)
  const server = new ByteStream(other)
  const garbage: string[] = []
  const captured = captureLog()
  const rules = {
    peer: 'mx[192.0.2.1]:25',
    lineLimit: options.lineLimit ?? 2048,
    allowsUtf8: true,
    garbage: (line: string) => garbage.push(line),
  }
  const replies: Reply[] = []
  const read = (async () => {
    for (;;) replies.push(await readReply(stream, rules))
  })()
  let rest = octets
  for (const size of options.chunks ?? []) {
    server.write(rest.slice(0, size))
    rest = rest.slice(size)
    await server.flush()
  }
  server.write(rest)
  const isOver = read
    .catch(() => undefined)
    .then(() => {
      stream.close()
    })
  await server.end().catch(() => undefined)
  await isOver
  captured.restore()
  return { replies, garbage, log: captured.lines }
}

t.test('readReply() reads replies of one line and of many', async (t) => {
  const cases: [string, number, string, string][] = [
    ['250 2.1.5 Ok\r\n', 250, '2.1.5', '250 2.1.5 Ok'],
    ['250\r\n', 250, '2.0.0', '250'],
    ['550 5.1.1 no\n', 550, '5.1.1', '550 5.1.1 no'],
    ['550 4.1.1 no\r\r\n', 550, '5.0.0', '550 4.1.1 no'],
    ['550   5.7.1 no\r\n', 550, '5.7.1', '550   5.7.1 no'],
    ['354 go\r\n', 354, '5.5.0', '354 go'],
    ['250-a\r\n250-b\r\n250 2.0.0 c\r\n', 250, '2.0.0', '250-a\n250-b\n250 2.0.0 c'],
    ['450-4.2.1 a\r\n550 b\r\n', 550, '5.0.0', '450-4.2.1 a\n550 b'],
    ['250 a\x01\x7fb\r\n', 250, '2.0.0', '250 a??b'],
  ]
  for (const [octets, code, dsn, text] of cases) {
    const { replies, garbage } = await parse(octets)
    t.same(replies, [{ code, dsn, text, isGarbage: false }], octets)
    t.same(garbage, [])
  }
})

t.test('readReply() keeps what is no reply as text, and reads on', async (t) => {
  const { replies, garbage } = await parse('hello\r\n2500 x\r\n250 ok\r\n')
  t.same(replies, [{ code: 250, dsn: '2.0.0', text: 'hello\n2500 x\n250 ok', isGarbage: true }])
  t.same(garbage, ['hello'])
})

t.test('readReply() bounds lines and replies', async (t) => {
  const long = await parse(`250 ${'x'.repeat(100_000)}\r\n221 bye\r\n`)
  t.equal(long.replies[0]?.text.length, 2048)
  t.equal(long.replies[1]?.code, 221)
  t.same(long.log, [
    'warning: mx[192.0.2.1]:25: response longer than 2048: 250 xxxxxxxxxxxxxxxxxxxxxxxxxx...',
  ])
  const many = await parse(`${'250-line\r\n'.repeat(1000)}550 5.0.0 end\r\n`)
  t.ok((many.replies[0]?.text.length ?? 0) <= 2200)
  t.equal(many.replies[0]?.code, 550)
  t.equal(many.log.length, 1)
})

t.test('a reply without end is no reply', async (t) => {
  const { replies } = await parse('250-x\r\n'.repeat(200_000))
  t.same(replies, [])
})

t.test('any chunking gives the same replies', async (t) => {
  const octets = '220-hello\r\n220 x\r\ngarbage\r\n250 2.0.0 ok\n550-a\r\n550 5.1.1 b\r\n'
  const whole = await parse(octets)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 }),
      async (chunks) => {
        const cut = await parse(octets, { chunks })
        t.same(cut.replies, whole.replies)
      },
    ),
    { numRuns: 30 },
  )
})
