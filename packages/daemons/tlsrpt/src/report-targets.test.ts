/**
 * report-targets.test - which records ask for reports, and of whom
 */
import t from 'tap'
import { findReportTargets } from './report-targets.ts'

function found(record: string): string[] {
  return findReportTargets(record).map((target) =>
    target.kind === 'mail' ? target.address : target.url.href,
  )
}

const mail = 'mailto:a@b.example'

const CASES: readonly (readonly [record: string, targets: readonly string[]])[] = [
  // RFC 8460 3.1
  ['v=TLSRPTv1;rua=mailto:reports@example.com', ['reports@example.com']],
  [
    'v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt',
    ['https://reporting.example.com/v1/tlsrpt'],
  ],
  [
    'v=TLSRPTv1 ; rua=mailto:a@b.example , https://c.example/?x=y ;',
    ['a@b.example', 'https://c.example/?x=y'],
  ],
  [`v=TLSRPTv1; ext-1=some:value; rua=${mail}; other=x`, ['a@b.example']],
  [`v=TLSRPTv1;rua=MAILTO:a@b.example,HTTPS://C.Example/`, ['a@b.example', 'https://c.example/']],
  // no record of that form
  ['', []],
  ['v=TLSRPTv1', []],
  ['v=TLSRPTv1;', []],
  [`v=tlsrptv1;rua=${mail}`, []],
  [`v=TLSRPTv2;rua=${mail}`, []],
  [` v=TLSRPTv1;rua=${mail}`, []],
  [`rua=${mail};v=TLSRPTv1`, []],
  [`v=TLSRPTv1 rua=${mail}`, []],
  [`v=TLSRPTv1;;rua=${mail}`, []],
  [`v=TLSRPTv1;rua=${mail};rua=${mail}`, []],
  [`v=TLSRPTv1;rua=${mail};novalue`, []],
  [`v=TLSRPTv1;rua=${mail};-x=y`, []],
  [`v=TLSRPTv1;rua=${mail};x=a=b`, []],
  ['v=TLSRPTv1;rua=', []],
  ['v=TLSRPTv1;rua=a@b.example', []],
  [`v=TLSRPTv1;rua=${mail},`, []],
  [`v=TLSRPTv1;rua=mailto:a!b@c.example`, []],
  [`v=TLSRPTv1;rua=mailto:a%2@b.example`, []],
  [`v=TLSRPTv1;rua=mailto:a@b.example x`, []],
  // targets that we do not serve, beside one that we do
  [`v=TLSRPTv1;rua=ftp://b.example/,http://b.example/,${mail}`, ['a@b.example']],
  // RFC 6068 2
  ['v=TLSRPTv1;rua=mailto:a%21b%2Bc@d.example', ['a!b+c@d.example']],
  ['v=TLSRPTv1;rua=mailto:a%2Cb@c.example', []],
  ['v=TLSRPTv1;rua=mailto:%22a%2Cb%22@c.example', ['a,b@c.example']],
  [`v=TLSRPTv1;rua=${mail}?subject=x&cc=y@z.example`, ['a@b.example']],
  ['v=TLSRPTv1;rua=mailto:a%0D%0ABcc:x@b.example', []],
  ['v=TLSRPTv1;rua=mailto:a%20b@c.example', []],
  ['v=TLSRPTv1;rua=mailto:%C3%BC@b.example', []],
  ['v=TLSRPTv1;rua=mailto:%FF@b.example', []],
  ['v=TLSRPTv1;rua=mailto:a@b.example%2Cc@d.example', []],
  ['v=TLSRPTv1;rua=mailto:%3Ca@b.example%3E', []],
  ['v=TLSRPTv1;rua=mailto:postmaster', []],
  ['v=TLSRPTv1;rua=mailto:a@[192.0.2.1]', []],
  ['v=TLSRPTv1;rua=mailto:@b.example', []],
  [`v=TLSRPTv1;rua=mailto:${'a'.repeat(311)}@b.example`, []],
  // servers without a name, or with a password
  ['v=TLSRPTv1;rua=https://192.0.2.1/x', []],
  ['v=TLSRPTv1;rua=https://3221225985/x', []],
  ['v=TLSRPTv1;rua=https://[2001:db8::1]/x', []],
  ['v=TLSRPTv1;rua=https://localhost/x', []],
  ['v=TLSRPTv1;rua=https://user:password@b.example/', []],
  ['v=TLSRPTv1;rua=https://b.example:8443/x?y#z', ['https://b.example:8443/x?y#z']],
]

t.test('findReportTargets()', (t) => {
  for (const [record, targets] of CASES) t.same(found(record), targets, record)
  t.end()
})

t.test('findReportTargets() takes each target once, and four of them', (t) => {
  const names = ['a', 'b', 'a', 'c', 'd', 'e', 'f']
  const uris = names.map((name) => `mailto:${name}@x.example`)
  t.same(found(`v=TLSRPTv1;rua=${uris.join(',')}`), [
    ...['a@x.example', 'b@x.example', 'c@x.example', 'd@x.example'],
  ])
  t.end()
})
