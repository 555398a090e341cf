import t from 'tap'
import { parseMasterOptions } from './master-options.ts'

t.test('parseMasterOptions()', (t) => {
  t.match(parseMasterOptions(['-c', '/etc/x', '-vw', '-e', '60']), {
    configDirectory: '/etc/x',
    isVerbose: true,
    waits: true,
    exitSeconds: 60,
    staysAttached: false,
  })
  t.match(parseMasterOptions(['-i'], {}, 1), { isInit: true, keepsOutput: true })
  t.equal(parseMasterOptions([], { MAIL_VERBOSE: '' }).isVerbose, true)
  for (const bad of ['-x', '-t -w', '-e soon', 'word', '-c']) {
    t.throws(() => parseMasterOptions(bad.split(' ')), { code: 'POSTHORN_USAGE' })
  }
  t.throws(() => parseMasterOptions(['-t', '-w']), /options cannot be used together/)
  t.equal(parseMasterOptions(['-e', '0']).exitSeconds, 0, 'at once, as Postfix does')
  t.equal(parseMasterOptions([]).exitSeconds, undefined)
  t.equal(parseMasterOptions(['-D']).isDebugged, true)
  t.equal(parseMasterOptions([], { MAIL_DEBUG: '' }).isDebugged, true)
  t.throws(() => parseMasterOptions(['-i'], {}, 2), /only for PID 1/)
  t.throws(() => parseMasterOptions(['-i', '-d'], {}, 1), { code: 'POSTHORN_USAGE' })
  t.end()
})
