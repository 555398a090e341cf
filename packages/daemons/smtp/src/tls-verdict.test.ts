import { createHash } from 'node:crypto'
import t from 'tap'
import type { FakeName } from '@posthorn/testing/fake-dns'
import type { PeerOptions } from '@posthorn/testing/scripted-peer'
import { issueCertificate } from '@posthorn/testing/test-certificates'
import { FAILURE, SUCCESS, tlsReportSite } from './test/tls-report-site.ts'

const certificate = { names: ['mx.a.test'] }
const sent = 'status=sent'
const deferred = 'status=deferred'

t.test('what was wrong, and with which policy', async (t) => {
  const anything = 'inline:{ {a.test:$port = POLICY} }'
  const sts = 'policy_type=sts policy_domain=a.test'
  const enforce = `secure ${sts} mx_host_pattern=*.a.test`
  const testing = `may ${sts} mx_host_pattern=*.a.test`
  const policy = (text: string): Record<string, string> => ({
    smtp_tls_policy_maps: anything.replace('POLICY', text),
    smtp_tls_CAfile: '$root',
  })
  const good = { tls: { certificate } }
  const vain = { replies: { handshake: { close: true } }, tls: {} }
  const cases: [string, Record<string, string>, PeerOptions, string, string | undefined, string][] =
    [
      ['enforce', policy(enforce), good, sent, undefined, 'sts'],
      ['testing', policy(testing), good, sent, undefined, 'sts'],
      [
        'wrong name',
        policy(enforce),
        { tls: { certificate: { names: ['b.test'] } } },
        deferred,
        'certificate-host-mismatch',
        'sts',
      ],
      [
        'testing, wrong name',
        policy(testing),
        { tls: { certificate: { names: ['b.test'] } } },
        sent,
        'certificate-host-mismatch',
        'sts',
      ],
      [
        'expired',
        policy(enforce),
        { tls: { certificate: { ...certificate, validity: 'expired' } } },
        deferred,
        'certificate-expired',
        'sts',
      ],
      [
        'testing, expired',
        policy(testing),
        { tls: { certificate: { ...certificate, validity: 'expired' } } },
        sent,
        'certificate-expired',
        'sts',
      ],
      [
        'self-signed',
        policy(enforce),
        { tls: { certificate: { ...certificate, issuer: 'self' } } },
        deferred,
        'certificate-not-trusted: self-signed certificate',
        'sts',
      ],
      [
        'unknown issuer',
        policy(enforce),
        { tls: { certificate: { ...certificate, issuer: 'other' } } },
        deferred,
        'certificate-not-trusted: untrusted issuer',
        'sts',
      ],
      [
        'not yet valid',
        policy(enforce),
        { tls: { certificate: { ...certificate, validity: 'future' } } },
        deferred,
        'certificate-not-trusted: certificate not yet valid',
        'sts',
      ],
      [
        'client only',
        policy(enforce),
        { tls: { certificate: { ...certificate, usage: 'client' } } },
        deferred,
        'certificate-not-trusted: no server certificate',
        'sts',
      ],
      ['not offered', policy(testing), {}, sent, 'starttls-not-supported', 'sts'],
      [
        'refused',
        policy(enforce),
        { ...good, replies: { STARTTLS: '454 4.7.0 no' } },
        deferred,
        'starttls-not-supported: reply 454 to STARTTLS',
        'sts',
      ],
      [
        'handshake',
        { smtp_tls_security_level: 'encrypt' },
        vain,
        deferred,
        'validation-failure: handshake failure',
        'no-policy-found',
      ],
      [
        'no pattern',
        policy(`secure ${sts} mx_host_pattern=x.test`),
        good,
        deferred,
        'validation-failure: no mx pattern matches',
        'sts',
      ],
      [
        'testing, no pattern',
        policy(`may ${sts} mx_host_pattern=x.test`),
        good,
        sent,
        'validation-failure: no mx pattern matches',
        'sts',
      ],
      [
        'broken policy',
        policy('may policy_type=no-policy-found policy_failure=sts-policy-invalid'),
        good,
        sent,
        'sts-policy-invalid',
        'no-policy-found',
      ],
      [
        'secure of main.cf',
        {
          smtp_tls_security_level: 'secure',
          smtp_tls_secure_cert_match: 'c.test',
          smtp_tls_CAfile: '$root',
        },
        good,
        deferred,
        'certificate-host-mismatch',
        'no-policy-found',
      ],
      [
        'encrypt, whatever the certificate',
        { smtp_tls_security_level: 'encrypt' },
        good,
        sent,
        undefined,
        'no-policy-found',
      ],
    ]
  for (const [name, settings, script, fate, fault, type] of cases) {
    const { deliver } = await tlsReportSite(t, settings, script)
    const outcome = await deliver()
    t.equal(outcome.fate, fate, name)
    const [result, second] = outcome.results
    t.equal(second, undefined, `${name}: one result`)
    t.match(result, { recipientDomain: 'a.test', policies: [{ type, domain: 'a.test' }] }, name)
    const [one] = result?.policies ?? []
    t.equal(one?.isSuccess, fault === undefined, name)
    const [found] = one?.failures ?? []
    const { code, failureReasonCode: reason } = found ?? {}
    t.equal(reason === undefined ? code : `${code}: ${reason}`, fault, name)
    const [kind, why] = (fault ?? '').split(': ')
    const failureType = `failure_type=${kind?.replaceAll('-', '_')}`
    const underlined =
      why === undefined ? failureType : `${failureType}, failure_reason=${why.replaceAll(' ', '_')}`
    const line = fault === undefined ? SUCCESS : `${FAILURE}, ${underlined}`
    t.equal(outcome.line, line, name)
    if (found === undefined) continue
    t.match(found, { receivingMxHostname: 'mx.a.test', receivingIp: '127.0.0.1' }, name)
    const isConnected = name !== 'no pattern'
    t.equal(found.receivingMxHelo, isConnected ? 'peer.test' : undefined, name)
    t.equal(found.sendingMtaIp, isConnected ? '127.0.0.1' : undefined, name)
  }
})

t.test('DANE: the records, and what was wrong with them', async (t) => {
  const issued = issueCertificate(certificate).certificate.raw
  const digest = createHash('sha256').update(issued).digest('hex')
  const other = 'ab'.repeat(32)
  const dane = (level: string): Record<string, string> => ({
    smtp_tls_security_level: level,
    smtp_dns_support_level: 'dnssec',
    dnssec_probe: '',
  })
  const records = (...rows: [number, number, number, string][]): Record<string, FakeName> => ({
    '_$port._tcp.mx.a.test': { TLSA: rows, isSecure: true },
  })
  const cases: [string, string, Record<string, FakeName>, string, string | undefined, string[]][] =
    [
      [
        'match',
        'dane',
        records([3, 0, 1, digest]),
        sent,
        undefined,
        [`3 0 1 ${digest.toUpperCase()}`],
      ],
      [
        'mismatch',
        'dane',
        records([3, 0, 1, other]),
        deferred,
        'validation-failure',
        [`3 0 1 ${other.toUpperCase()}`],
      ],
      [
        'unusable',
        'dane',
        records([1, 0, 1, other]),
        sent,
        'tlsa-invalid',
        [`1 0 1 ${other.toUpperCase()}`],
      ],
      [
        'unusable to the engine',
        'dane',
        records([3, 0, 1, 'abcd']),
        sent,
        'tlsa-invalid',
        ['3 0 1 ABCD'],
      ],
      ['required', 'dane-only', {}, deferred, 'dane-required', []],
      ['bogus', 'dane', { '_$port._tcp.mx.a.test': 'servfail' }, deferred, 'dnssec-invalid', []],
    ]
  for (const [name, level, names, fate, code, strings] of cases) {
    const { deliver } = await tlsReportSite(t, dane(level), { tls: { certificate } }, names)
    const outcome = await deliver()
    t.equal(outcome.fate, fate, name)
    t.match(
      outcome.results,
      [
        {
          policies: [{ type: 'tlsa', domain: 'mx.a.test', strings, isSuccess: code === undefined }],
        },
      ],
      name,
    )
    t.equal(outcome.results[0]?.policies[0]?.failures[0]?.code, code, name)
  }
  const none = await tlsReportSite(t, dane('dane'), { tls: { certificate } })
  t.match((await none.deliver()).results, [{ policies: [{ type: 'no-policy-found' }] }])
})
