/** sendmail-options.test - forty years of options */
import t from 'tap'
import { parseSendmailOptions } from './sendmail-options.ts'

function parse(...argv: string[]): ReturnType<typeof parseSendmailOptions> {
  return parseSendmailOptions('sendmail', argv)
}

t.test('parseSendmailOptions() reads submissions', (t) => {
  t.match(parse('-t', '-i', '-fme@x.y', '-F', 'My Name'), {
    mode: { kind: 'submit' },
    takesHeaderRecipients: true,
    ignoresDots: true,
    sender: 'me@x.y',
    fullName: 'My Name',
  })
  t.match(parse('-r', 'x', '-f', 'y', 'a', '-b'), { sender: 'y', recipients: ['a', '-b'] })
  t.match(parse('-oi', '-B8BITMIME', '-G', '--', '-x'), {
    ignoresDots: true,
    encoding: '8bit',
    isGateway: true,
    recipients: ['-x'],
  })
  t.match(parse('-N', 'success,DELAY', '-R', 'HDRS', '-V', 'id1', '-XV'), {
    notifyFlags: 10,
    returnFlags: 2,
    envelopeId: 'id1',
    verp: '',
    warnings: [],
  })
  t.match(parse('-vv', '-bv', 'x'), { verbosity: 2, mode: { kind: 'verify' } })
  t.end()
})

t.test('parseSendmailOptions() ignores what Postfix ignores', (t) => {
  const words = [
    '-Am',
    '-h',
    '5',
    '-L',
    'x',
    '-m',
    '-O',
    'a=b',
    '-U',
    '-o7',
    '-om',
    '-oQx',
    '-p',
    'x',
  ]
  t.match(parse(...words, '-c', '-x', '-e', 'q', 'rcpt'), {
    mode: { kind: 'submit' },
    recipients: ['rcpt'],
    warnings: [],
  })
  const warned = parse('-N', 'never,delay', '-R', 'x', '-V', '', '-N', 'foo')
  t.match(warned, { notifyFlags: 0, returnFlags: 0, envelopeId: undefined })
  t.equal(warned.warnings.length, 5)
  t.end()
})

t.test('parseSendmailOptions() knows the -V of old: VERP', (t) => {
  const warnings = ['option -V is deprecated with Postfix 2.3; specify -XV instead']
  t.match(parse('-V', '+=', 'rcpt'), { verp: '', recipients: ['+=', 'rcpt'], warnings })
  t.match(parse('-V+=', 'rcpt'), { verp: '+=', envelopeId: undefined, recipients: ['rcpt'] })
  t.end()
})

t.test('parseSendmailOptions() knows the other modes', (t) => {
  const kind = (...argv: string[]): string => parse(...argv).mode.kind
  t.equal(kind('-bp'), 'listQueue')
  t.equal(kind('-q'), 'flushQueue')
  t.equal(kind('-q15m'), 'nothing')
  t.equal(kind('-bh'), 'nothing')
  t.equal(kind('-bd'), 'daemon')
  t.equal(kind('-bl'), 'daemon')
  t.equal(kind('-bs'), 'smtp')
  t.equal(kind('-bi'), 'aliases')
  t.equal(kind('-I', '-oA/x'), 'aliases')
  t.match(parse('-qRexample.com').mode, { kind: 'flushSite', site: 'example.com' })
  t.match(parse('-qIABC').mode, { kind: 'flushMessage', id: 'ABC' })
  t.equal(parseSendmailOptions('mailq', []).mode.kind, 'listQueue')
  t.equal(parseSendmailOptions('newaliases', []).mode.kind, 'aliases')
  t.end()
})

t.test('parseSendmailOptions() refuses what it cannot do', (t) => {
  const bad = [
    ['-n'],
    ['-Bfoo'],
    ['-bx'],
    ['-qS', 'x'],
    ['-qR'],
    ['-qx'],
    ['-X', 'log'],
    ['-oA'],
    ['-bv', '-t'],
  ]
  for (const argv of [...bad, ['-q', 'foo'], ['-bi', 'x'], ['-bp', 'x']]) {
    t.throws(() => parse(...argv), { code: 'POSTHORN_SENDMAIL_USAGE' }, argv.join(' '))
  }
  for (const argv of [['-Z'], ['-f'], ['-d']])
    t.throws(() => parse(...argv), { code: 'POSTHORN_USAGE' })
  t.end()
})

t.test('parseSendmailOptions(): -O requiretls', (t) => {
  t.equal(parse('a').requiresTls, false)
  t.equal(parse('-O', 'requiretls=yes', 'a').requiresTls, true)
  t.equal(parse('-ORequireTLS = yes', 'a').requiresTls, true)
  t.equal(parse('-Orequiretls=yes', '-Orequiretls=no', 'a').requiresTls, false)
  t.throws(() => parse('-Orequiretls=maybe', 'a'), { message: '-O requiretls needs yes or no' })
  t.end()
})
