import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { ParameterError, parseMailParameters } from './mail-parameters.ts'
import { parseRecipientParameters } from './recipient-parameters.ts'
import { readSmtpdSettings } from './smtpd-settings.ts'

const settings = readSmtpdSettings(MainConfig.of({ compatibility_level: '3.6' }))
const nothing = { mayVerp: false, discardedKeywords: new Set<string>() }
const verp = { ...nothing, mayVerp: true }

function refusal(parse: () => unknown): string {
  try {
    parse()
    return 'accepted'
  } catch (error) {
    if (error instanceof ParameterError) return error.reply
    throw error
  }
}

t.test('parseMailParameters() accepts', (t) => {
  t.match(
    parseMailParameters(
      ['size=100', 'BODY=8bitmime', 'RET=hdrs', 'ENVID=a+41', 'SMTPUTF8', 'AUTH=<>'],
      settings,
      nothing,
    ),
    { sizeOctets: 100, encoding: '8bit', returnFlags: 2, envelopeId: 'aA', isSmtpUtf8: true },
  )
  t.end()
})

t.test('parseMailParameters() takes XVERP from those who may', (t) => {
  t.equal(parseMailParameters(['XVERP'], settings, verp).verp, '+=')
  t.equal(parseMailParameters(['XVERP=-='], settings, verp).verp, '-=')
  for (const word of ['XVERP=+x', 'XVERP=', 'XVERP=+==']) {
    t.equal(
      refusal(() => parseMailParameters([word], settings, verp)),
      '501 5.5.4 Error: XVERP needs two characters from -=+',
    )
  }
  t.end()
})

t.test('parseMailParameters() refuses', (t) => {
  const cases: [string, string][] = [
    ['SIZE=x', '501 5.5.4 Bad message size syntax'],
    ['SIZE', '555 5.5.4 Unsupported option: SIZE'],
    ['SIZE=9223372036854775808', '552 5.3.4 Message size exceeds file system imposed limit'],
    ['BODY=FOO', '555 5.5.4 Unsupported option: BODY=FOO'],
    ['BLAH', '555 5.5.4 Unsupported option: BLAH'],
    ['RET', '555 5.5.4 Unsupported option: RET'],
    ['RET=X', '501 5.5.4 Bad RET parameter syntax'],
    ['RET=FULL RET=HDRS', '501 5.5.4 Bad RET parameter syntax'],
    ['ENVID=', '501 5.5.4 Bad ENVID parameter syntax'],
    ['ENVID=+0A', '501 5.5.4 Bad ENVID parameter syntax'],
    ['ENVID=a+', '501 5.5.4 Bad ENVID parameter syntax'],
    ['ENVID=\xe9', '501 5.5.4 Bad ENVID parameter syntax'],
    ['ENVID=a ENVID=b', '501 5.5.4 Bad ENVID parameter syntax'],
    ['ENVID=a=b+2b', 'accepted'],
    ['AUTH', '555 5.5.4 Unsupported option: AUTH'],
    ['SMTPUTF8=1', '555 5.5.4 Unsupported option: SMTPUTF8=1'],
    ['XVERP', '555 5.5.4 Unsupported option: XVERP'],
  ]
  for (const [words, reply] of cases) {
    t.equal(
      refusal(() => parseMailParameters(words.split(' '), settings, nothing)),
      reply,
      words,
    )
  }
  t.end()
})

t.test('parseRecipientParameters()', (t) => {
  const captured = captureLog()
  const parse = (...words: string[]): unknown => parseRecipientParameters(words, new Set())
  t.same(parse('NOTIFY=success,DELAY', 'ORCPT=rfc822;a+2Bb@c'), {
    notify: 10,
    originalRecipient: 'rfc822;a+b@c',
  })
  t.match(parse('NOTIFY=SUCCESS,,DELAY'), { notify: 10 })
  t.match(parse('ORCPT=rfc822;'), { originalRecipient: 'rfc822;' })
  t.match(parse('ORCPT=rfc822;a+0Ab'), { originalRecipient: 'rfc822;a?b' }, 'no control characters')
  t.match(parse('ORCPT=utf-8;x\\x{e9}y+2b'), { originalRecipient: 'utf-8;x\xc3\xa9y+2b' })
  const cases: [string, string][] = [
    ['NOTIFY=NEVER,SUCCESS', '501 5.5.4 Error: Bad NOTIFY parameter syntax'],
    ['NOTIFY=', '501 5.5.4 Error: Bad NOTIFY parameter syntax'],
    ['NOTIFY=X', '501 5.5.4 Error: Bad NOTIFY parameter syntax'],
    ['NOTIFY=NEVER NOTIFY=DELAY', '501 5.5.4 Error: Bad NOTIFY parameter syntax'],
    ['ORCPT=rfc822', '501 5.5.4 Error: Bad ORCPT parameter syntax'],
    ['ORCPT=;x', '501 5.5.4 Error: Bad ORCPT parameter syntax'],
    ['ORCPT=rfc822;a+', '501 5.5.4 Error: Bad ORCPT parameter syntax'],
    ['ORCPT=utf-8;\\x{zz}', '501 5.5.4 Error: Bad ORCPT parameter syntax'],
    ['ORCPT=rfc822;a ORCPT=rfc822;b', '501 5.5.4 Error: Bad ORCPT parameter syntax'],
    ['BAR', '555 5.5.4 Unsupported option: BAR'],
  ]
  for (const [words, reply] of cases) {
    t.equal(
      refusal(() => parse(...words.split(' '))),
      reply,
      words,
    )
  }
  captured.restore()
  t.same(captured.lines, ['warning: unknown DSN NOTIFY command value "X" in "X"'])
  t.end()
})
