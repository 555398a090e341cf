import t from 'tap'
import { parsePostlogOptions } from './postlog-options.ts'

t.test('parsePostlogOptions()', (t) => {
  t.match(parsePostlogOptions(['-i', '-v', '-pwarn', '-t', 'a/b', '-c', '/dir', 'text', '-p']), {
    severity: 'warning',
    tag: 'a/b',
    configDirectory: '/dir',
    isVerbose: true,
    words: ['text', '-p'],
  })
  t.match(parsePostlogOptions([]), { severity: 'info', words: [] })
  t.same(parsePostlogOptions(['--', '-x']).words, ['-x'])
  for (const argv of [['-Z'], ['-p', 'loud'], ['-t'], ['-vz']]) {
    t.throws(() => parsePostlogOptions(argv), { code: 'POSTHORN_USAGE' }, argv.join(' '))
  }
  t.end()
})
