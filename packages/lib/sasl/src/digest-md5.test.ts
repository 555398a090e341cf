import t from 'tap'
import { DigestMd5 } from './digest-md5.ts'
import type { Credentials } from './mechanism.ts'

const chris: Credentials = {
  user: 'chris',
  password: 'secret',
  authorization: '',
  host: 'elwood.innosoft.com',
  port: 143,
  service: 'imap',
}
const challenge =
  'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'

function responseTo(text: string, credentials: Partial<Credentials> = {}): string {
  return new DigestMd5({ ...chris, ...credentials }, 'OA6MHXh6VqTrRk').respond(text)
}

t.test('the example of RFC 2831 4', (t) => {
  const digest = new DigestMd5(chris, 'OA6MHXh6VqTrRk')
  t.equal(digest.initial(), undefined)
  t.equal(
    digest.respond(challenge),
    'username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",cnonce="OA6MHXh6VqTrRk",' +
      'nc=00000001,qop=auth,digest-uri="imap/elwood.innosoft.com",' +
      'response=d388dad90d4bbd760a152321f2143af7',
  )
  t.notOk(digest.isComplete)
  t.equal(digest.respond('rspauth=ea40f60335c427b5527b84dbabcdfffd'), '')
  t.ok(digest.isComplete)
  t.throws(() => digest.respond(''), { message: 'generic failure' })
  t.end()
})

t.test('as Postfix 3.7.11 with Cyrus SASL 2.1.28', (t) => {
  const user = { user: 'user', password: 'pass', service: 'smtp' }
  const recorded = (host: string, cnonce: string, text: string): string => {
    const answer = new DigestMd5({ ...chris, ...user, host }, cnonce).respond(text)
    t.match(answer, `digest-uri="smtp/${host}"`)
    return (/realm="(?:[^"\\]|\\.)*"/.exec(answer)?.[0] ?? '') + answer.slice(-33)
  }
  t.equal(
    recorded(
      '127.0.94.1',
      'it9wP8jSnkJKCHBBG+Y2Gc1CyNTIHYQq6/m1xkJYzNk=',
      'nonce="OA6",qop="auth",algorithm=md5-sess',
    ),
    'realm="127.0.94.1"=407c4bd06b923c69f85f596630938ec1',
    'no realm: the host',
  )
  t.equal(
    recorded(
      '127.0.95.1',
      'dgEzFJNo5voqhNPv3KLFRa/Lpsgs5XtLwlzAdvK5ucQ=',
      'realm="a",realm="b",nonce="OA6",algorithm=md5-sess',
    ),
    'realm="127.0.95.1"=fa4eba720dee12dc01e58e329a4fbc86',
    'two realms: the host',
  )
  t.equal(
    recorded(
      '127.0.106.1',
      'BwMSKEouFyAPMwf/KslbMvOCNR9kuefqQQLaRvMNDFM=',
      'realm="",nonce="x",algorithm=md5-sess',
    ),
    'realm=""=5db9b57f20f7347ac165b9bb7b813c01',
    'an empty realm is a realm',
  )
  t.equal(
    recorded(
      '127.0.107.1',
      'J+qhH0OS6IUg3nr2uGb/E8YZconXBvvxh7mwEKDjAMg=',
      'realm="a\\"b",nonce="x\\\\y",algorithm=md5-sess',
    ),
    'realm="a\\"b"=acc5a112f20703d4e11ba5ce9d2dcdb3',
    'quotes',
  )
  t.end()
})

t.test('names in UTF-8 are said to be, and hashed in ISO 8859-1 where they fit (2.1.2.1)', (t) => {
  const utf8 = responseTo(challenge, { user: '\xc3\xa4' })
  t.match(utf8, /^charset=utf-8,username="\xc3\xa4",/)
  // the server hashes \xe4, so the octets of ISO 8859-1 have the same digest
  t.equal(utf8.slice(-32), responseTo(challenge, { user: '\xe4' }).slice(-32))
  const beyond = responseTo(challenge, { user: '\xe2\x82\xac' })
  t.not(beyond.slice(-32), responseTo(challenge, { user: '\xac' }).slice(-32))
  t.notMatch(responseTo(challenge), 'charset')
  t.end()
})

t.test('what a challenge must have', (t) => {
  const rest = 'nonce="x",algorithm=md5-sess'
  for (const [text, message] of [
    ['', 'generic failure'],
    ['algorithm=md5-sess', 'generic failure'],
    ['nonce="x"', 'generic failure'],
    ['nonce="x",algorithm=md5', 'generic failure'],
    [`${rest},qop="auth-conf,auth-int"`, 'generic failure'],
    [`${rest},x="${'y'.repeat(2048)}"`, 'generic failure'],
    [`${rest},charset=iso-8859-1`, 'authentication failure'],
    ['hello', 'authentication failure'],
    ['nonce="x', 'authentication failure'],
  ] as const) {
    t.throws(() => responseTo(text), { code: 'POSTHORN_SASL', message }, text.slice(0, 40))
  }
  t.match(responseTo(`${rest},qop="auth-conf, auth" , , frob=1,stale=true, `), 'qop=auth,')
  t.match(responseTo(`nonce="first",${rest}`), 'nonce="x"')
  t.end()
})

t.test('a server that cannot prove itself', (t) => {
  for (const [text, message] of [
    ['rspauth=ea40f60335c427b5527b84dbabcdfffe', 'server failed mutual authentication step'],
    ['rspauth=ea40', 'server failed mutual authentication step'],
    ['x=y', 'generic failure'],
    ['', 'generic failure'],
  ] as const) {
    const digest = new DigestMd5(chris, 'OA6MHXh6VqTrRk')
    digest.respond(challenge)
    t.throws(() => digest.respond(text), { message })
    t.notOk(digest.isComplete)
  }
  t.end()
})

t.test('nonces differ, and nobody authenticates without a name', (t) => {
  const [one, other] = [new DigestMd5(chris), new DigestMd5(chris)]
  t.not(one.respond(challenge), other.respond(challenge))
  t.throws(() => responseTo(challenge, { user: '' }), {
    message: 'generic failure',
    detail: 'no user name',
  })
  t.end()
})
