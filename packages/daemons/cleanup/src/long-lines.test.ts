/**
 * long-lines.test - what happens to lines and headers that are longer than anybody should write
 *
 * Compared with Postfix 3.7.11: headers, of the message and of its parts, are cut at header_size_limit; text never is.
 */
import t from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import { DEFAULT_FLAGS } from './cleanup-cases.ts'
import { CleanupFixture, type TestRecord } from './cleanup-fixture.ts'

const PIECE = 2000
const LIMIT = 10_000

/** A line as smtpd(8) sends it. */
function line(text: string): TestRecord[] {
  const records: TestRecord[] = []
  let at = 0
  for (; text.length - at > PIECE; at += PIECE) records.push(['L', text.slice(at, at + PIECE)])
  return [...records, ['N', text.slice(at)]]
}

async function contentOf(...lines: readonly string[]): Promise<string> {
  const fixture = await CleanupFixture.open({ header_size_limit: String(LIMIT) })
  const log = captureLog()
  try {
    const { records, status } = await fixture.submit(DEFAULT_FLAGS, [
      ['T', '1795216841 5'],
      ['A', 'rewrite_context=remote'],
      ['S', 'a@b.c'],
      ['R', 'd@e.f'],
      ['M', ''],
      ...line('Received: by x'),
      ...lines.flatMap(line),
      ['X', ''],
      ['E', ''],
    ])
    if (status !== 0) return `status ${status}`
    const begin = records.findIndex(([type]) => type === 'M') + 1
    const end = records.findIndex(([type]) => type === 'X')
    return records
      .slice(begin, end)
      .map(([type, payload]) => (type === 'L' ? payload : `${payload}\n`))
      .join('')
  } finally {
    log.restore()
    fixture.close()
  }
}

const long = 'x'.repeat(3 * LIMIT)

t.test('cleanup(8) keeps a long first line of text whole', async (t) => {
  t.equal(await contentOf(long, 'end'), `Received: by x\n\n${long}\nend\n`)
  t.equal(
    await contentOf('Subject: s', long, 'end'),
    `Received: by x\nSubject: s\n\n${long}\nend\n`,
  )
  const name = `${'x'.repeat(PIECE + 1)}: no header name is that long`
  t.equal(await contentOf(name), `Received: by x\n\n${name}\n`)
})

t.test('cleanup(8) cuts a long header', async (t) => {
  const cut = `Subject: ${long}`.slice(0, LIMIT)
  t.equal(await contentOf(`Subject: ${long}`, '', 'end'), `Received: by x\n${cut}\n\nend\n`)
  t.equal(await contentOf('Subject: s', ` ${long}`, '', 'end').then((text) => text.length), 10_021)
})

t.test('cleanup(8) cuts a long header of a part, and holds no more of it', async (t) => {
  const head = ['MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b', '', '--b']
  const before = `Received: by x\n${head.join('\n')}\n`
  t.equal(
    await contentOf(...head, `X-Long: ${long}`, 'X-Next: y', '', 'end', '--b--'),
    `${before}${`X-Long: ${long}`.slice(0, LIMIT)}\nX-Next: y\n\nend\n--b--\n`,
  )
  const folded = Array<string>(200).fill(` ${'y'.repeat(99)}`)
  const kept = ['X-Long: z', ...folded.slice(0, 98)].join('\n')
  t.equal(
    await contentOf(...head, 'X-Long: z', ...folded, '', 'end', '--b--'),
    `${before}${kept}\n\nend\n--b--\n`,
  )
  t.equal(await contentOf(...head, long, '', '--b--'), `${before}${long}\n\n--b--\n`)
})
