/** header-recipients.test - the recipients of sendmail -t */
import t from 'tap'
import { HeaderRecipients } from './header-recipients.ts'

function recipients(lines: readonly string[], recipientLimit = 100): readonly string[] {
  const headers = new HeaderRecipients({ sizeLimit: 1000, tokenLimit: 100, recipientLimit })
  for (const line of lines) if (!headers.line(line)) break
  headers.end()
  return headers.recipients
}

t.test('HeaderRecipients takes To, Cc and Bcc', (t) => {
  const lines = [
    'To: a, "b c"@d, Foo <e@f>',
    'cc : g: h, i;',
    'Bcc: j (x',
    ' y),',
    '\tk',
    'From: z',
  ]
  t.strictSame(recipients([...lines, '', 'To: no']), ['a', 'b c@d', 'e@f', 'h', 'i', 'j', 'k'])
  t.strictSame(recipients(['To: undisclosed-recipients:;', 'Cc: <>']), [])
  t.strictSame(recipients(['To: a', 'no header', 'To: b']), ['a'])
  t.strictSame(recipients([' To: a', 'To: b']), [])
  t.strictSame(recipients(['To: a, b, c', 'Cc: d'], 2), ['a', 'b'])
  t.end()
})

t.test('HeaderRecipients takes only the Resent- set when there is one', (t) => {
  t.strictSame(recipients(['To: a', 'Resent-To: r', 'Resent-Bcc: s', 'Bcc: b']), ['r', 's'])
  t.strictSame(recipients(['To: a', 'Resent-From: r']), ['a'])
  t.strictSame(recipients(['To: a', 'Resent-To:']), [], 'nobody gets it again')
  t.end()
})

t.test('HeaderRecipients refuses a header without end', (t) => {
  const long = `X: ${'y'.repeat(1000)}`
  t.strictSame(recipients([long, 'To: a']), ['a'], 'one line may be longer than the limit')
  t.throws(() => recipients([long, ' z']), { code: 'POSTHORN_HEADER_TOO_LONG' })
  t.end()
})
