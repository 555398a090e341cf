/**
 * period-results.test - what is counted together, and that nobody can make the counts grow without end
 */
import { TlsrptError } from '@posthorn/wire/wire-error'
import t from 'tap'
import { periodAt } from './period.ts'
import { PERIOD_LIMITS, PeriodResults } from './period-results.ts'
import { expired, failed, noPolicy, noStartTls, session, stsPolicy } from './test/sample-results.ts'

function summary(results: PeriodResults): unknown {
  return [...results.domains].map(([domain, { policies }]) => [
    domain,
    ...[...policies.values()].map((policy) => [
      policy.type,
      policy.successCount,
      policy.failureCount,
      ...[...policy.failures.values()].map(({ failure, count }) => `${failure.code} ${count}`),
    ]),
  ])
}

t.test('sessions are counted by domain and policy, failures by all their parts', (t) => {
  const results = new PeriodResults()
  results.add(session(stsPolicy))
  results.add(session(stsPolicy, { recipientDomain: 'Company-Y.Example.' }))
  results.add(session(failed(stsPolicy, expired)))
  results.add(session(failed(stsPolicy, expired, noStartTls)))
  results.add(session(failed(stsPolicy, { ...expired, sendingMtaIp: '192.0.2.1' })))
  results.add(session(noPolicy))
  results.add(session({ ...stsPolicy, strings: ['version: STSv1'] }))
  results.add(session(noPolicy, { recipientDomain: 'other.example' }))
  t.same(summary(results), [
    [
      'company-y.example',
      [
        ...['sts', 2, 3],
        ...['certificate-expired 2', 'starttls-not-supported 1', 'certificate-expired 1'],
      ],
      ['no-policy-found', 1, 0],
      ['sts', 1, 0],
    ],
    ['other.example', ['no-policy-found', 1, 0]],
  ])
  t.equal(results.leftOutCount, 0)
  t.end()
})

t.test('a session with two policies counts for both, and the last record is the one', (t) => {
  const results = new PeriodResults()
  results.add(session(stsPolicy))
  results.add(session(stsPolicy, { record: 'v=TLSRPTv1;rua=', policies: [stsPolicy, noPolicy] }))
  t.same(summary(results), [['company-y.example', ['sts', 2, 0], ['no-policy-found', 1, 0]]])
  t.equal(results.domains.get('company-y.example')?.record, 'v=TLSRPTv1;rua=')
  t.end()
})

t.test('a name that is no domain is refused', (t) => {
  const results = new PeriodResults()
  for (const recipientDomain of [
    '',
    '.',
    '../x',
    'a b',
    'a"b',
    'a..b',
    '192.0.2.1',
    'b\u00fccher',
  ]) {
    t.throws(() => {
      results.add(session(noPolicy, { recipientDomain }))
    }, TlsrptError)
  }
  t.same(summary(results), [])
  t.end()
})

t.test('beyond a limit sessions are left out, or their details', (t) => {
  const limits = { ...PERIOD_LIMITS, domains: 2, policiesOfDomain: 2, failuresOfPolicy: 2 }
  const results = new PeriodResults(limits)
  for (const name of ['a', 'b', 'c', 'b']) {
    results.add(session(noPolicy, { recipientDomain: `${name}.example` }))
  }
  t.equal(results.leftOutCount, 1, 'a third domain')
  for (const domain of ['x', 'y', 'z']) {
    results.add(session({ ...stsPolicy, domain }, { recipientDomain: 'a.example' }))
  }
  t.equal(results.leftOutCount, 3, 'a third policy and a fourth')
  for (const sendingMtaIp of ['1', '2', '3', '2']) {
    const policy = failed(noPolicy, { ...expired, sendingMtaIp })
    results.add(session(policy, { recipientDomain: 'b.example' }))
  }
  t.equal(results.leftOutCount, 4, 'a third failure')
  t.same(summary(results), [
    ['a.example', ['no-policy-found', 1, 0], ['sts', 1, 0]],
    ['b.example', ['no-policy-found', 2, 4, 'certificate-expired 1', 'certificate-expired 2']],
  ])
  t.end()
})

t.test('so it is beyond the octets of a domain, and of all', (t) => {
  const ofDomain = new PeriodResults({ ...PERIOD_LIMITS, octetsOfDomain: 1000 })
  const strings = ['x'.repeat(1000)]
  ofDomain.add(session(noPolicy))
  ofDomain.add(session({ ...stsPolicy, strings }))
  ofDomain.add(session(failed(noPolicy, { ...expired, additionalInformation: 'x'.repeat(1000) })))
  t.equal(ofDomain.leftOutCount, 2)
  t.same(summary(ofDomain), [['company-y.example', ['no-policy-found', 1, 1]]])

  const ofAll = new PeriodResults({ ...PERIOD_LIMITS, octets: 2000 })
  for (let i = 0; i < 100; i++) {
    ofAll.add(session(noPolicy, { recipientDomain: `${i}.example` }))
  }
  t.equal(ofAll.domains.size + ofAll.leftOutCount, 100)
  t.ok(ofAll.domains.size > 5 && ofAll.domains.size < 50)
  t.end()
})

t.test('periodAt() begins days at midnight UTC', (t) => {
  const { startSeconds, endSeconds } = periodAt(Date.parse('2026-11-30T23:59:59.999Z'), 86_400)
  t.equal(startSeconds * 1000, Date.parse('2026-11-30T00:00:00Z'))
  t.equal(endSeconds * 1000, Date.parse('2026-12-01T00:00:00Z'))
  t.end()
})
