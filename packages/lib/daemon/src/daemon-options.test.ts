import t from 'tap'
import { OptionError, parseDaemonOptions } from './daemon-options.ts'
import { errorText } from './error-text.ts'
import type { ServiceKind } from './service.ts'

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

t.test('parseDaemonOptions() sets a flag for each letter', (t) => {
  t.match(parseDaemonOptions(['-dDSV', '-l', '-vv', '-v', '-r', '5s', '--', '-x']), {
    isOnTerminal: true,
    isDebugged: true,
    isOneShot: true,
    isOnStderr: true,
    isAlone: true,
    verbosity: 3,
    retireSeconds: 5,
    args: ['-x'],
  })
  t.equal(parseDaemonOptions(['-t', 'unix', '-', '-v']).verbosity, 0, 'a dash is no option')
  t.end()
})

t.test('parseDaemonOptions() refuses, in the words of Postfix', (t) => {
  const wrong: [string[], ServiceKind, string][] = [
    [['-Q'], 'single', 'invalid option: Q'],
    [['-n'], 'single', 'invalid option: n'],
    [['-vQ'], 'single', 'invalid option: Q'],
    [['-s', '0'], 'single', 'invalid socket_count: 0'],
    [['-s', 'x'], 'single', 'invalid socket_count: x'],
    [['-s', '-1'], 'single', 'invalid socket_count: -1'],
    [['-r', 'x'], 'event', 'invalid retirement time: x'],
    [['-r', '5'], 'multi', 'invalid option: r'],
    [['-r', '5'], 'trigger', 'invalid option: r'],
    [['-S'], 'datagram', 'invalid option: S'],
    [['-o', 'foo'], 'single', `invalid "-o foo" option value: missing '=' after attribute name`],
    [['-o', '=x'], 'single', 'invalid "-o =x" option value: missing attribute name'],
    [
      ['-o', '{ a = b }'],
      'single',
      `invalid "-o { a = b }" option value: missing '=' after attribute name`,
    ],
  ]
  for (const [argv, kind, message] of wrong) {
    t.throws(() => parseDaemonOptions(argv, kind), new OptionError(message, false), argv.join(' '))
  }
  t.throws(() => parseDaemonOptions(['-V', '-Q']), new OptionError('invalid option: Q', true))
  t.end()
})

t.test('errorText() names causes, and the place of our own faults', (t) => {
  t.equal(errorText(new Error('a', { cause: new Error('b') })), 'a: b')
  t.match(errorText(new TypeError('oops')), /^oops \(at .*daemon-options.test.ts/)
  t.equal(errorText('text'), 'text')
  t.end()
})
