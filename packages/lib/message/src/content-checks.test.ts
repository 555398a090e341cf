/** content-checks.test - which table is asked, and what its answer means */
import t from 'tap'
import { parseCheckAction } from './check-action.ts'
import { ContentChecks, type CheckTable } from './content-checks.ts'

function table(name: string): CheckTable & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    find: async (key) => {
      asked.push(key)
      if (key.includes('fail')) return Promise.resolve({ kind: 'tryAgain', reason: 'down' })
      if (key.includes('absent')) return Promise.resolve({ kind: 'absent' })
      return Promise.resolve({ kind: 'found', value: `WARN ${name}` })
    },
  }
}

t.test('parseCheckAction()', (t) => {
  t.strictSame(parseCheckAction('Reject 5.7.1 no way', 'header_checks'), {
    kind: 'reject',
    text: '5.7.1 no way',
  })
  t.strictSame(parseCheckAction('OK', 'header_checks'), { kind: 'dunno' })
  t.strictSame(parseCheckAction('IGNORE really', 'header_checks'), { kind: 'ignore' })
  t.strictSame(parseCheckAction('FILTER scan:[::1]:25', 'header_checks'), {
    kind: 'filter',
    text: 'scan:[::1]:25',
  })
  t.strictSame(parseCheckAction('BCC a@b', 'header_checks'), { kind: 'bcc', text: 'a@b' })
  for (const value of [
    '',
    'NONSENSE',
    'FILTER x',
    'FILTER',
    'REDIRECT x',
    'BCC',
    'PREPEND',
    'REPLACE ',
  ]) {
    t.equal(parseCheckAction(value, 'header_checks').kind, 'invalid', value)
  }
  t.end()
})

t.test('ContentChecks asks the table of the section', async (t) => {
  const header = table('header')
  const mimeHeader = table('mime')
  const nestedHeader = table('nested')
  const body = table('body')
  const checks = new ContentChecks({ header, mimeHeader, nestedHeader, body }, 10)
  const asks = async (section: 'primary' | 'part' | 'nested', text: string): Promise<unknown> =>
    checks.header(section, text)
  t.match(await asks('primary', 'Subject: x'), { kind: 'warn', text: 'header' })
  t.match(await asks('primary', 'MIME-Version: 1.0'), { text: 'mime' })
  t.match(await asks('part', 'X-Any: x'), { text: 'mime' })
  t.match(await asks('nested', 'Subject: x'), { text: 'nested' })
  t.match(await asks('nested', 'content-type : x'), { text: 'mime' })
  t.match(await asks('primary', 'absent: x'), { kind: 'dunno' })
  t.match(await asks('primary', 'fail: x'), { kind: 'tryAgain' })
  t.match(await checks.body(''), { kind: 'dunno' })
  t.match(await checks.body('1234567890'), { text: 'body' })
  t.match(await checks.body('beyond the limit'), { kind: 'dunno' })
  checks.beginSegment()
  t.match(await checks.body('again'), { text: 'body' })
  t.ok(checks.hasHeaderChecks && checks.hasBodyChecks)
  const none = {
    header: undefined,
    mimeHeader: undefined,
    nestedHeader: undefined,
    body: undefined,
  }
  const off = new ContentChecks(none, 10)
  t.notOk(off.hasHeaderChecks || off.hasBodyChecks)
  t.match(await off.header('primary', 'Subject: x'), { kind: 'dunno' })
})
