/**
 * sample-results - sessions and a reporter for tests
 */
import type { TlsrptFailure, TlsrptPolicy, TlsrptRequest } from '@posthorn/wire/tlsrpt-protocol'
import type { Reporter } from '../tlsrpt-settings.ts'

export const reporter: Reporter = {
  hostname: 'mx.company-x.example',
  mailName: 'Posthorn',
  organizationName: 'Company-X',
  contactInfo: 'sts-reporting@company-x.example',
  sender: 'postmaster@company-x.example',
  submitter: 'company-x.example',
}

export const stsPolicy: TlsrptPolicy = {
  type: 'sts',
  domain: 'company-y.example',
  strings: ['version: STSv1', 'mode: testing', 'mx: *.mail.company-y.example', 'max_age: 86400'],
  mxHostPatterns: ['*.mail.company-y.example'],
  isSuccess: true,
  failures: [],
}

export const noPolicy: TlsrptPolicy = {
  type: 'no-policy-found',
  domain: 'company-y.example',
  strings: [],
  mxHostPatterns: [],
  isSuccess: true,
  failures: [],
}

/** RFC 8460 appendix B */
export const expired: TlsrptFailure = {
  code: 'certificate-expired',
  sendingMtaIp: '2001:db8:abcd:0012::1',
  receivingMxHostname: 'mx1.mail.company-y.example',
}

export const noStartTls: TlsrptFailure = {
  code: 'starttls-not-supported',
  sendingMtaIp: '2001:db8:abcd:0013::1',
  receivingMxHostname: 'mx2.mail.company-y.example',
  receivingIp: '203.0.113.56',
  additionalInformation: 'https://reports.company-x.example/report_info?id=5065427c-23d3',
}

export const failed = (
  policy: TlsrptPolicy,
  ...failures: readonly TlsrptFailure[]
): TlsrptPolicy => ({
  ...policy,
  isSuccess: false,
  failures,
})

export const session = (
  policy: TlsrptPolicy,
  rest: Partial<TlsrptRequest> = {},
): TlsrptRequest => ({
  recipientDomain: 'company-y.example',
  record: 'v=TLSRPTv1; rua=mailto:reports@company-y.example',
  policies: [policy],
  ...rest,
})
