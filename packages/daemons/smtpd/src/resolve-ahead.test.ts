import t from 'tap'
import { resolveAhead } from './resolve-ahead.ts'
import type { Session } from './session.ts'
import { Transaction } from './transaction.ts'

const PARAMETERS = {
  sizeOctets: 0,
  encoding: '',
  returnFlags: 0,
  envelopeId: '',
  isSmtpUtf8: false,
  verp: '',
} as const

/** Serves RCPT commands one after the other; what was asked ahead at each. */
function askedAt(lines: readonly string[]): string[][] {
  const transaction = new Transaction('s@a.test', PARAMETERS)
  const stream = { buffered: '' }
  let asked: string[] = []
  const policy = {
    resolveAhead: (sender: string, address: string) => {
      asked.push(`${sender} ${address}`)
    },
  }
  const session = { stream, host: { policy } } as unknown as Session
  return lines.map((_, at) => {
    asked = []
    stream.buffered = lines
      .slice(at + 1)
      .map((line) => `${line}\r\n`)
      .join('')
    resolveAhead(session, transaction)
    return asked
  })
}

t.test('each recipient is asked about once, some commands ahead', (t) => {
  const count = 40
  const asked = askedAt(Array.from({ length: count }, (_, at) => `RCPT TO:<u${at}@b.test>`))
  t.equal(asked[0]?.length, 16)
  t.same(
    asked.flat(),
    Array.from({ length: count - 1 }, (_, at) => `s@a.test u${at + 1}@b.test`),
  )
  t.ok(asked.filter((some) => some.length > 0).length < 10, 'several at a time')
  t.end()
})

t.test('only plain recipients, up to the first command that is something else', (t) => {
  const first = (...lines: string[]): string[] => askedAt(['RCPT TO:<a@b.test>', ...lines])[0] ?? []
  t.same(first(), [])
  t.same(first('rcpt to:<c@d.test> NOTIFY=NEVER', 'RCPT TO:<e@d.test>'), [
    's@a.test c@d.test',
    's@a.test e@d.test',
  ])
  t.same(first('RCPT TO:<c@d.test>', 'DATA', 'RCPT TO:<e@d.test>'), ['s@a.test c@d.test'])
  for (const odd of [
    'RCPT TO:<joe>',
    'RCPT TO:<"a b"@c.test>',
    'RCPT TO:<a%b@c.test>',
    'RCPT TO:<@x.test:a@b.test>',
    'RCPT TO:<>',
    'RCPT',
  ]) {
    t.same(first(odd, 'RCPT TO:<c@d.test>'), [], odd)
  }
  t.end()
})
