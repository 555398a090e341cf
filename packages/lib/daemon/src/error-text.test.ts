import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { errorText } from './error-text.ts'

function thrownBy(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

t.test('errorText() says a fault of the configuration once, in the words of Postfix', (t) => {
  const config = MainConfig.parse('smtpd_timeout = banana\n', { directory: '/etc/postfix' })
  t.equal(
    errorText(thrownBy(() => config.seconds('smtpd_timeout'))),
    'parameter smtpd_timeout: bad time value or unit: banana',
  )
  t.end()
})

t.test('errorText() names the causes of other errors', (t) => {
  const cause = new Error('no space left on device')
  t.equal(
    errorText(new Error('Cannot write log', { cause })),
    'Cannot write log: no space left on device',
  )
  t.equal(errorText('text'), 'text')
  t.match(errorText(new TypeError('x is not a function')), /^x is not a function \(at /)
  t.end()
})
