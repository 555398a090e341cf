import t from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import { MainConfig } from '@posthorn/config/main-config'
import { MapList } from '@posthorn/tables/map-list'
import { TLS_LEVELS } from '@posthorn/wire/tlsproxy-protocol'
import { findSitePolicy } from './tls-per-site.ts'
import { findMappedPolicy, parseTlsPolicy } from './tls-policy-maps.ts'

/** What a function says, and what it logs meanwhile. */
async function withLog<T>(run: () => T | Promise<T>): Promise<{ value: T; lines: string[] }> {
  const captured = captureLog()
  try {
    return { value: await run(), lines: captured.lines }
  } finally {
    captured.restore()
  }
}

t.test('parseTlsPolicy() reads levels and attributes', async (t) => {
  const { may, encrypt, fingerprint, dane, verify, secure, none } = TLS_LEVELS
  const cases: [string, object][] = [
    ['none', { level: none }],
    ['May', { level: may }],
    ['dane', { level: dane }],
    [
      'encrypt ciphers=high, exclude=MD5:RC4',
      { level: encrypt, grade: 'high', exclusions: 'MD5:RC4' },
    ],
    ['encrypt protocols=>=TLSv1.2', { level: encrypt, protocols: '>=TLSv1.2' }],
    ['encrypt servername=mx.a.test', { level: encrypt, serverName: 'mx.a.test' }],
    ['may connection_reuse=YES connection_reuse=no', { level: may, reuse: 'no' }],
    [
      'verify match=nexthop:.a.test match=b.test',
      { level: verify, match: ['nexthop', '.a.test', 'b.test'] },
    ],
    ['secure tafile=/a tafile=/b', { level: secure, anchorFiles: ['/a', '/b'] }],
    ['fingerprint match=00:11|22:33', { level: fingerprint, match: ['00:11', '22:33'] }],
    [
      'verify { match = a.test } ,{ciphers=high}',
      { level: verify, match: ['a.test'], grade: 'high' },
    ],
    [
      'secure match=a.test policy_type=sts policy_domain=a.test, policy_ttl=60\n' +
        '{ policy_string = version: STSv1 } { policy_string = mode: enforce }\n' +
        'mx_host_pattern=mx.a.test mx_host_pattern=*.b.test',
      {
        level: secure,
        match: ['a.test'],
        sts: {
          type: 'sts',
          domain: 'a.test',
          strings: ['version: STSv1', 'mode: enforce'],
          mxHostPatterns: ['mx.a.test', '*.b.test'],
        },
      },
    ],
    [
      'may policy_type=no-policy-found POLICY_FAILURE=sts-policy-fetch-error',
      {
        level: may,
        sts: {
          type: 'no-policy-found',
          strings: [],
          mxHostPatterns: [],
          failure: 'sts-policy-fetch-error',
        },
      },
    ],
  ]
  for (const [text, expected] of cases) {
    const { value, lines } = await withLog(() => parseTlsPolicy(text, 'WHERE'))
    t.same(value, expected, text)
    t.same(lines, [], text)
  }
})

t.test('parseTlsPolicy() says what is wrong, and nothing weaker comes of it', async (t) => {
  const cases: [string, string][] = [
    ['', 'invalid empty policy'],
    ['bogus', 'invalid security level "bogus"'],
    ['half-dane', 'invalid security level "half-dane"'],
    [
      'encrypt ciphers',
      `malformed attribute/value pair "ciphers": missing '=' after attribute name`,
    ],
    ['encrypt =high', 'malformed attribute/value pair "=high": missing attribute name'],
    ['encrypt ciphers=', 'attribute "ciphers" has empty value'],
    ['verify match=', 'attribute "match" has empty value'],
    ['verify tafile=', 'attribute "tafile" has empty value'],
    ['encrypt ciphers=high ciphers=high', 'attribute "ciphers" is specified multiple times'],
    ['may protocols=a protocols=b', 'attribute "protocols" is specified multiple times'],
    ['may exclude=a exclude=b', 'attribute "exclude" is specified multiple times'],
    ['may servername=a servername=b', 'attribute "servername" is specified multiple times'],
    ['may match=x', 'attribute "match" invalid at security level "may"'],
    ['fingerprint tafile=/x', 'attribute "tafile" invalid at security level "fingerprint"'],
    ['may servername=a_/b', '"servername=a_/b" specifies an invalid hostname'],
    ['may connection_reuse=maybe', 'attribute "connection_reuse" has bad value: "maybe"'],
    ['may color=red', 'invalid attribute name: "color"'],
    ['may { ciphers = high', "missing '}' in policy"],
    ['may { }', 'malformed attribute/value pair "": missing attribute name'],
    ['may policy_ttl=60', 'attribute "policy_ttl" without "policy_type"'],
    ['may policy_type=tlsa', 'attribute "policy_type" has bad value: "tlsa"'],
    ['may policy_type=sts policy_type=sts', 'attribute "policy_type" is specified multiple times'],
    ['may policy_type=sts policy_domain=', 'attribute "policy_domain" has empty value'],
    ['may policy_type=sts policy_domain=a_/b', 'attribute "policy_domain" has bad value: "a_/b"'],
    ['may policy_type=sts policy_ttl=1d', 'attribute "policy_ttl" has bad value: "1d"'],
    [
      'may policy_type=sts mx_host_pattern=.a.test',
      'attribute "mx_host_pattern" has bad value: ".a.test"',
    ],
    [
      'secure policy_type=sts policy_failure=bad-weather',
      'attribute "policy_failure" has bad value: "bad-weather"',
    ],
    [
      'may policy_type=no-policy-found mx_host_pattern=mx.a.test',
      'attribute "mx_host_pattern" invalid with "policy_type=no-policy-found"',
    ],
  ]
  for (const [text, expected] of cases) {
    const { value, lines } = await withLog(() => parseTlsPolicy(text, 'WHERE'))
    t.equal(value, 'invalid', text)
    t.same(lines, [`warning: WHERE: ${expected}`], text)
  }
  const off = await withLog(() => parseTlsPolicy('none match=x ciphers=y', 'WHERE'))
  t.same(off.value, { level: TLS_LEVELS.none })
  t.same(off.lines, [
    'warning: WHERE: ignoring attribute "match=x" with TLS disabled',
    'warning: WHERE: ignoring attribute "ciphers=y" with TLS disabled',
  ])
})

function maps(text: string): MapList {
  return MapList.open('smtp_tls_policy_maps', text, { config: MainConfig.of({}) })
}

t.test('findMappedPolicy() looks for parents of bare domain names only', async (t) => {
  const table = maps('inline:{ {.a.test=encrypt} {[mx.a.test]:25=may} {.test=none} }')
  const level = async (nexthop: string): Promise<unknown> => {
    const found = await findMappedPolicy(table, nexthop)
    return typeof found === 'string' ? found : found.level
  }
  t.equal(await level('x.y.a.test'), TLS_LEVELS.encrypt)
  t.equal(await level('a.test'), TLS_LEVELS.none)
  t.equal(await level('[mx.a.test]:25'), TLS_LEVELS.may)
  t.equal(await level('[mx.a.test]'), 'absent')
  t.equal(await level('mx.a.test:25'), 'absent')
  const { value, lines } = await withLog(async () => findMappedPolicy(maps('fail:x'), 'a.test'))
  t.equal(value, 'invalid')
  t.match(
    lines.at(-1),
    'smtp_tls_policy_maps, next-hop destination "a.test": policy table lookup error',
  )
})

t.test('findSitePolicy(): the specific before MAY, the secure before NONE', async (t) => {
  const { none, may, encrypt, verify } = TLS_LEVELS
  const table = maps('inline:{none=NONE, may=may, must=MUST, nomatch=MUST_NOPEERMATCH, odd=x}')
  const cases: [string, string, number, unknown][] = [
    ['x', 'y', encrypt, { level: encrypt }],
    ['none', 'y', verify, { level: none }],
    ['may', 'y', none, { level: may }],
    ['may', 'y', verify, { level: verify }],
    ['may', 'none', may, { level: none }],
    ['none', 'must', none, { level: verify }],
    ['must', 'nomatch', none, { level: verify }],
    ['x', 'nomatch', verify, { level: encrypt }],
    ['odd', 'must', none, 'invalid'],
  ]
  for (const [nexthop, host, globally, expected] of cases) {
    const { value } = await withLog(async () => findSitePolicy(table, nexthop, host, globally))
    t.same(value, expected, `${nexthop} ${host} ${globally}`)
  }
  const failed = await withLog(async () => findSitePolicy(maps('fail:x'), 'a', 'b', none))
  t.equal(failed.value, 'tryAgain')
})
