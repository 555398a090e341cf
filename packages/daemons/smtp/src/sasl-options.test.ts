import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import { readSaslOptions } from './sasl-options.ts'

t.test('readSaslOptions() refuses what we are not, in the words of Postfix 3.7.11', (t) => {
  for (const protocol of ['smtp', 'lmtp'] as const) {
    const read = (setting: string, value: string): unknown => {
      try {
        return readSaslOptions(MainConfig.of({ [`${protocol}_${setting}`]: value }), protocol)
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        return [...error.warnings, error.message]
      }
    }
    t.same(read('sasl_type', 'dovecot'), [
      'unsupported SASL client implementation: dovecot',
      'SASL library initialization',
    ])
    t.match(read('sasl_type', 'cyrus'), { isSoftBounce: true })
    t.same(read('sasl_tls_security_options', 'noplaintext nonsense'), [
      'unknown SASL security options value "nonsense" in "noplaintext nonsense"',
      'bad per-session SASL security properties',
      'SASL per-connection initialization failed',
    ])
  }
  t.end()
})
