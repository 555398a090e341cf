/**
 * plain-mechanisms.test - mechanisms of one or two messages, with the examples of their documents
 */
import t from 'tap'
import { CramMd5 } from './cram-md5.ts'
import { Login } from './login.ts'
import type { Credentials } from './mechanism.ts'
import { OAuthBearer } from './oauthbearer.ts'
import { Plain } from './plain.ts'
import { XOAuth2 } from './xoauth2.ts'

const tim: Credentials = {
  user: 'tim',
  password: 'tanstaaftanstaaf',
  authorization: '',
  host: 'server.example.com',
  port: 587,
  service: 'smtp',
}
const token = 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=='
const endless = { message: 'generic failure', detail: 'another challenge after the last one' }
const nobody = { message: 'generic failure', detail: 'no user name' }

t.test('PLAIN: the examples of RFC 4616 4', (t) => {
  const plain = new Plain(tim)
  t.equal(plain.initial(), '\0tim\0tanstaaftanstaaf')
  t.ok(plain.isComplete)
  t.throws(() => plain.respond(), endless)
  const kurt = { ...tim, authorization: 'Ursel', user: 'Kurt', password: 'xipj3plmq' }
  t.equal(new Plain(kurt).initial(), 'Ursel\0Kurt\0xipj3plmq')
  t.throws(() => new Plain({ ...tim, user: ' ' }).initial(), nobody)
  t.end()
})

t.test('LOGIN: two answers, whatever the server asks in', (t) => {
  const login = new Login(tim)
  t.equal(login.initial(), undefined)
  t.same([login.respond(), login.respond()], ['tim', 'tanstaaftanstaaf'])
  t.throws(() => login.respond(), endless)
  t.throws(() => new Login({ ...tim, user: '' }).respond(), nobody)
  t.end()
})

t.test('CRAM-MD5: the example of RFC 2195 2', (t) => {
  const cram = new CramMd5(tim)
  t.equal(cram.initial(), undefined)
  const challenge = '<1896.697170952@postoffice.reston.mci.net>'
  t.equal(cram.respond(challenge), 'tim b913a602c7eda7a495b4e6e7334d3890')
  t.throws(() => cram.respond(challenge), endless)
  // as recorded from Postfix 3.7.11 with Cyrus SASL 2.1.28
  const pass = { ...tim, user: 'user', password: 'pass' }
  t.equal(new CramMd5(pass).respond(''), 'user 6f6f78664432e7632bb899845c4782ba')
  t.throws(() => new CramMd5({ ...tim, user: '' }).respond('x'), nobody)
  t.end()
})

t.test('XOAUTH2: token, and an empty answer to what the server complains of', (t) => {
  const oauth = new XOAuth2({ ...tim, user: 'someuser@example.com', password: token })
  t.equal(oauth.initial(), `user=someuser@example.com\x01auth=Bearer ${token}\x01\x01`)
  t.equal(oauth.respond(), '')
  t.ok(oauth.isComplete)
  t.throws(() => new XOAuth2({ ...tim, user: '' }).initial(), nobody)
  t.end()
})

t.test('OAUTHBEARER: the example of RFC 7628 4.2', (t) => {
  const oauth = new OAuthBearer({ ...tim, user: 'user@example.com', password: token })
  t.equal(
    oauth.initial(),
    `n,a=user@example.com,\x01host=server.example.com\x01port=587\x01auth=Bearer ${token}\x01\x01`,
  )
  t.equal(oauth.respond(), '\x01')
  const odd = new OAuthBearer({ ...tim, user: 'a=b,c', password: 'x', port: 0 })
  t.equal(odd.initial(), 'n,a=a=3Db=2Cc,\x01host=server.example.com\x01auth=Bearer x\x01\x01')
  t.throws(() => new OAuthBearer({ ...tim, user: '' }).initial(), nobody)
  t.end()
})
