import t from 'tap'
import { parseDaemonOptions } from './daemon-options.ts'
import { errorText } from './error-text.ts'

t.test('parseDaemonOptions() reads what master(8) gives', (t) => {
  const options = parseDaemonOptions([
    ...['-z', '-n', '127.0.0.1:10025', '-t', 'INET', '-u', '-c', '-o', 'stress=', '-s', '2'],
    ...['-vv', '-o', 'a = b = c', '-omyhostname=x', '-m', '7', '-i', '5s', 'rest', '-z'],
  ])
  t.match(options, {
    isUnlimited: true,
    isAlone: false,
    serviceName: '127.0.0.1:10025',
    transport: 'inet',
    isUnprivileged: true,
    isChrooted: true,
    listeners: 2,
    verbosity: 2,
    args: ['rest', '-z'],
  })
  t.same(options.overrides, [
    ['stress', ''],
    ['a', 'b = c'],
    ['myhostname', 'x'],
    ['max_use', '7'],
    ['max_idle', '5s'],
  ])
  t.end()
})

t.test('parseDaemonOptions() refuses', (t) => {
  for (const argv of [['-Q'], ['-n'], ['-s', '0'], ['-s', 'x'], ['-o', 'noequals']]) {
    t.throws(() => parseDaemonOptions(argv), { code: 'POSTHORN_DAEMON_OPTION' }, argv.join(' '))
  }
  t.end()
})

t.test('errorText() names causes, and the place of our own faults', (t) => {
  t.equal(errorText(new Error('a', { cause: new Error('b') })), 'a: b')
  t.match(errorText(new TypeError('oops')), /^oops \(at .*daemon-options.test.ts/)
  t.equal(errorText('text'), 'text')
  t.end()
})
