import t from 'tap'
import type { Credentials } from './mechanism.ts'
import { Scram, type ScramName } from './scram.ts'

const user: Credentials = {
  user: 'user',
  password: 'pencil',
  authorization: '',
  host: 'mail.example.com',
  port: 25,
  service: 'smtp',
}
const nonce = 'fyko+d2lbbFgONRv9qkxdawL'
const first = `r=${nonce}3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096`

t.test('the example of RFC 5802 5', async (t) => {
  const scram = new Scram('SCRAM-SHA-1', user, nonce)
  t.equal(scram.initial(), `n,,n=user,r=${nonce}`)
  t.equal(
    await scram.respond(first),
    `c=biws,r=${nonce}3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=`,
  )
  t.notOk(scram.isComplete)
  t.equal(await scram.respond('v=rmF9pqV8S7suAoZWja4dJRkFsKQ='), '')
  t.ok(scram.isComplete)
  await t.rejects(async () => scram.respond(''), { message: 'generic failure' })
})

t.test('the example of RFC 7677 3', async (t) => {
  const own = 'rOprNGfwEbeRWgbNEkqO'
  const scram = new Scram('SCRAM-SHA-256', user, own)
  const whole = `${own}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0`
  t.equal(
    await scram.respond(`r=${whole},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`),
    `c=biws,r=${whole},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
  )
  t.equal(await scram.respond('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='), '')
  t.ok(scram.isComplete)
})

t.test('as Postfix 3.7.11 with Cyrus SASL 2.1.28', async (t) => {
  const pass = { ...user, password: 'pass' }
  const recorded = async (name: ScramName, own: string, authorization = ''): Promise<string> => {
    const scram = new Scram(name, { ...pass, authorization }, own)
    return scram.respond(`r=${own}abc,s=QSXCR+Q6sek8bf92,i=4096`)
  }
  t.match(
    await recorded('SCRAM-SHA-256', 'EBD3TcYn1+tEWeKvvuzhmVZMHs1JcCCY'),
    'p=F1GXo49yAgWB2KmLIMHT0Z4ZCBVqKsXf2qpPlNMDGd8=',
  )
  t.equal(
    await recorded('SCRAM-SHA-1', 'UkciWLWTBCoSOWH/NJUvWgIA+aXrujai', 'user'),
    'c=bixhPXVzZXIs,r=UkciWLWTBCoSOWH/NJUvWgIA+aXrujaiabc,p=vF2ns44zBAwCB1D9nxCEDLq/TW8=',
  )
})

t.test('names are prepared and escaped', (t) => {
  const odd = { ...user, user: 'a=b,\xc2\xad\xe2\x85\xa8', authorization: 'x,y' }
  t.equal(new Scram('SCRAM-SHA-1', odd, 'N').initial(), 'n,a=x=2Cy,n=a=3Db=2CIX,r=N')
  t.throws(() => new Scram('SCRAM-SHA-1', { ...user, user: '' }).initial(), {
    message: 'generic failure',
    detail: 'no user name',
  })
  t.end()
})

t.test('what the first message of a server must be', async (t) => {
  for (const text of [
    '',
    'hello',
    'e=other-error',
    `r=${nonce},s=QSXCR+Q6sek8bf92,i=4096`,
    'r=other,s=QSXCR+Q6sek8bf92,i=4096',
    `r=${nonce}x,i=4096`,
    `r=${nonce}x,s=QSXCR+Q6sek8bf92,i=0`,
    `r=${nonce}x,s=QSXCR+Q6sek8bf92,i=999999999`,
    `m=1,r=${nonce}x,s=QSXCR+Q6sek8bf92,i=4096`,
  ]) {
    const scram = new Scram('SCRAM-SHA-1', user, nonce)
    await t.rejects(async () => scram.respond(text), { message: 'bad protocol / cancel' }, text)
  }
  const scram = new Scram('SCRAM-SHA-1', user, nonce)
  t.match(await scram.respond(`${first},x=an extension`), /^c=biws,/)
})

t.test('a server that cannot prove itself', async (t) => {
  for (const [text, message] of [
    ['v=rmF9pqV8S7suAoZWja4dJRkFsKU=', 'authentication failure'],
    ['v=rmF9', 'bad protocol / cancel'],
    ['e=invalid-proof', 'bad protocol / cancel'],
    ['', 'bad protocol / cancel'],
  ] as const) {
    const scram = new Scram('SCRAM-SHA-1', user, nonce)
    await scram.respond(first)
    await t.rejects(async () => scram.respond(text), { message }, text)
    t.notOk(scram.isComplete)
  }
})

t.test('nonces differ', (t) => {
  const [one, other] = [new Scram('SCRAM-SHA-512', user), new Scram('SCRAM-SHA-512', user)]
  t.not(one.initial(), other.initial())
  t.end()
})
