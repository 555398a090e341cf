/**
 * policy-answer.test - policies as entries of smtp_tls_policy_maps
 */
import t from 'tap'
import {
  formatPolicy,
  formatPolicyWithAttributes,
  lenientLevel,
  type PolicyAnswer,
} from './policy-answer.ts'
import type { StsMode } from './sts-policy.ts'

function answer(mode: StsMode): PolicyAnswer {
  const mxPatterns = ['mx.example.com', '*.example.net']
  return { kind: 'policy', policy: { mode, mxPatterns, maxAgeSeconds: 100 }, remainingSeconds: 60 }
}
const broken: PolicyAnswer = { kind: 'broken', failure: 'sts-webpki-invalid' }

t.test('formatPolicy(): only what enforces', (t) => {
  const secure = 'secure match=mx.example.com:.example.net servername=hostname'
  t.equal(formatPolicy(answer('enforce')), secure)
  for (const other of [answer('testing'), answer('none'), broken, { kind: 'absent' } as const]) {
    t.equal(formatPolicy(other), undefined)
  }
  t.end()
})

t.test('formatPolicyWithAttributes(): as Postfix 3.10 wants it', (t) => {
  const attributes = (mode: string): string =>
    'policy_type=sts policy_domain=example.com policy_ttl=60 ' +
    'mx_host_pattern=mx.example.com mx_host_pattern=*.example.net ' +
    `{ policy_string = version: STSv1 } { policy_string = mode: ${mode} } ` +
    '{ policy_string = mx: mx.example.com } { policy_string = mx: *.example.net } ' +
    '{ policy_string = max_age: 100 }'
  const format = formatPolicyWithAttributes
  t.equal(
    format('example.com', answer('enforce'), undefined),
    `secure match=mx.example.com:.example.net servername=hostname ${attributes('enforce')}`,
  )
  t.equal(format('example.com', answer('testing'), 'may'), `may ${attributes('testing')}`)
  t.equal(format('example.com', answer('testing'), 'encrypt'), `encrypt ${attributes('testing')}`)
  t.equal(format('example.com', answer('testing'), undefined), undefined)
  t.equal(format('example.com', answer('none'), 'may'), undefined)
  t.equal(format('example.com', { kind: 'absent' }, 'may'), undefined)
  t.equal(
    format('example.com', broken, 'may'),
    'may policy_type=sts policy_domain=example.com policy_failure=sts-webpki-invalid',
  )
  t.equal(format('example.com', broken, undefined), undefined)
  t.end()
})

t.test('lenientLevel(): never weaker than the site', (t) => {
  for (const level of ['', 'none', 'may', 'dane']) t.equal(lenientLevel(level), 'may', level)
  t.equal(lenientLevel('encrypt'), 'encrypt')
  for (const level of ['dane-only', 'fingerprint', 'verify', 'secure']) {
    t.equal(lenientLevel(level), undefined, level)
  }
  t.end()
})
