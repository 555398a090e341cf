import fc from 'fast-check'
import t from 'tap'
import { chooseMechanism, SECURITY_OPTIONS, type SecurityOption } from './choose-mechanism.ts'
import { SaslError } from './mechanism.ts'

const credentials = {
  user: 'user',
  password: 'pass',
  authorization: '',
  host: 'mail.example.com',
  port: 25,
  service: 'smtp',
}
const ALL = [
  'SCRAM-SHA-512',
  'SCRAM-SHA-384',
  'SCRAM-SHA-256',
  'SCRAM-SHA-224',
  'SCRAM-SHA-1',
  'DIGEST-MD5',
  'CRAM-MD5',
  'PLAIN',
  'LOGIN',
  'XOAUTH2',
  'OAUTHBEARER',
]

function choice(offered: readonly string[], ...wanted: SecurityOption[]): string | undefined {
  return chooseMechanism(offered, new Set(wanted))?.(credentials).name
}

t.test('the strongest is taken, whatever the order of the offer', (t) => {
  for (const [at, name] of ALL.entries()) {
    const rest = ALL.slice(at)
    t.equal(choice(rest), name)
    t.equal(choice([...rest].reverse()), name)
    t.equal(choice([name.toLowerCase()]), name)
  }
  t.equal(choice(['GSSAPI', 'NTLM', 'EXTERNAL']), undefined)
  t.equal(choice([]), undefined)
  t.end()
})

t.test('what each security option leaves', (t) => {
  const left = (option: SecurityOption): string[] =>
    ALL.filter((name) => choice([name], option) !== undefined)
  const strong = ALL.slice(0, 5)
  t.same(Object.fromEntries(SECURITY_OPTIONS.map((option) => [option, left(option)])), {
    noplaintext: [...strong, 'DIGEST-MD5', 'CRAM-MD5'],
    noactive: strong,
    nodictionary: [],
    forward_secrecy: [],
    noanonymous: ALL,
    mutual_auth: [...strong, 'DIGEST-MD5'],
  })
  t.equal(choice(['PLAIN', 'CRAM-MD5', 'DIGEST-MD5'], 'noplaintext', 'mutual_auth'), 'DIGEST-MD5')
  t.end()
})

t.test('whatever a server says is answered, or a SaslError', async (t) => {
  const piece = fc.oneof(
    fc.constantFrom('r=', ',', 's=QSXC', 'i=4096', 'v=', 'e=', 'nonce="x"', 'realm=', '"', '\\\\'),
    fc.constantFrom('algorithm=md5-sess', 'rspauth=', 'qop="auth"', 'charset=', ' '),
    fc.string({ unit: 'binary', maxLength: 5 }),
  )
  const challenges = fc.array(fc.array(piece, { maxLength: 8 }), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ALL), challenges, async (name, dialogue) => {
      const mechanism = chooseMechanism([name], new Set())?.(credentials)
      if (mechanism === undefined) throw new Error(`no mechanism ${name}`)
      mechanism.initial()
      try {
        for (const text of dialogue) await mechanism.respond(text.join(''))
      } catch (error) {
        if (!(error instanceof SaslError)) throw error
      }
      const provesItself = name.startsWith('SCRAM') || name === 'DIGEST-MD5'
      t.equal(mechanism.isComplete, !provesItself)
    }),
    { numRuns: 500, seed: 4422 },
  )
})
