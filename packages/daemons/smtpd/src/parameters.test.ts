import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { ParameterError, parseMailParameters } from './mail-parameters.ts'
import { parseRecipientParameters } from './recipient-parameters.ts'
import { readSmtpdSettings } from './smtpd-settings.ts'

const settings = readSmtpdSettings(MainConfig.of({ compatibility_level: '3.6' }))

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
    ),
    { sizeOctets: 100, encoding: '8bit', returnFlags: 2, envelopeId: 'aA', isSmtpUtf8: true },
  )
  t.end()
})

t.test('parseMailParameters() refuses', (t) => {
  const cases: [string, string][] = [
    ['SIZE=x', '501 5.5.4 Bad message size syntax'],
    ['SIZE', '501 5.5.4 Bad message size syntax'],
    ['BODY=FOO', '555 5.5.4 Unsupported option: BODY=FOO'],
    ['BLAH', '555 5.5.4 Unsupported option: BLAH'],
    ['RET=X', '501 5.5.4 Bad RET parameter syntax'],
    ['ENVID=', '501 5.5.4 Bad ENVID parameter syntax'],
    ['ENVID=+0A', '501 5.5.4 Bad ENVID parameter syntax'],
    ['SMTPUTF8=1', '555 5.5.4 Unsupported option: SMTPUTF8=1'],
  ]
  for (const [word, reply] of cases) {
    t.equal(
      refusal(() => parseMailParameters([word], settings)),
      reply,
    )
  }
  t.end()
})

t.test('parseRecipientParameters()', (t) => {
  const captured = captureLog()
  t.same(parseRecipientParameters(['NOTIFY=success,DELAY', 'ORCPT=rfc822;a+2Bb@c'], settings), {
    notify: 10,
    originalRecipient: 'rfc822;a+b@c',
  })
  const cases: [string, string][] = [
    ['NOTIFY=NEVER,SUCCESS', '501 5.5.4 Error: Bad NOTIFY parameter syntax'],
    ['NOTIFY=X', '501 5.5.4 Error: Bad NOTIFY parameter syntax'],
    ['ORCPT=rfc822', '501 5.5.4 Error: Bad ORCPT parameter syntax'],
    ['ORCPT=;x', '501 5.5.4 Error: Bad ORCPT parameter syntax'],
    ['BAR', '555 5.5.4 Unsupported option: BAR'],
  ]
  for (const [word, reply] of cases) {
    t.equal(
      refusal(() => parseRecipientParameters([word], settings)),
      reply,
    )
  }
  captured.restore()
  t.same(captured.lines, ['warning: unknown DSN NOTIFY command value "X" in "X"'])
  t.end()
})
