/**
 * server-sni.test - certificates by the name that the client asks for
 */
import { connect } from 'node:tls'
import { MainConfig } from '@posthorn/config/main-config'
import { temporaryDirectory, temporaryFiles } from '@posthorn/testing/temporary-directory'
import t, { type Test } from 'tap'
import { HandshakeError, type ServerEngine } from './server-engine.ts'
import { SniMaps } from './server-sni.ts'
import {
  accept,
  CLIENT,
  ends,
  logged,
  openEngine,
  serverStart,
} from './test/accepted-connection.ts'
import { makeCertificate } from './test/certificate-maker.ts'

const directory = temporaryDirectory(t)
const file = temporaryFiles(t, directory)
const make = (CN: string, keyType: 'ec' | 'rsa' = 'ec') =>
  makeCertificate({ subject: { CN }, keyType })
const own = make('own.test')
const first = make('first.test')
const second = make('first.test', 'rsa')
const OWN = file('own.pem', own.keyPem, own.pem)
const FIRST = file('first.pem', first.keyPem, first.pem)
const SECOND = file('second.pem', second.keyPem, second.pem)
const BAD = file('bad.pem', 'hello\n')

async function engineWith(sniMaps: string): Promise<ServerEngine> {
  const engine = await openEngine({ init: { chainFiles: OWN, sniMaps } })
  if (engine === undefined) throw new Error('no engine')
  return engine
}

/** Whose certificate a client gets, and the log but for what follows the name in the summary. */
async function ask(t: Test, engine: ServerEngine, servername: string, sigalgs?: string) {
  let subject: string | undefined
  let type: string | undefined
  const found = await logged(async () => {
    const options = sigalgs === undefined ? {} : { sigalgs }
    const { client } = await accept(t, engine, { servername, ...options })
    const certificate = client.getPeerX509Certificate()
    subject = certificate?.subject
    type = certificate?.publicKey.asymmetricKeyType
  })
  return { subject, type, lines: found.map((line) => line.replace(/: TLSv.*/, '')) }
}

t.test('accept() has the certificates of the name, of a parent domain, or its own', async (t) => {
  const maps = `inline:{ { first.test = ${FIRST}, ${SECOND} }, { .par.test = ${FIRST} } }`
  const engine = await engineWith(maps)
  const established = `Anonymous TLS connection established from ${CLIENT}`
  const unmatched = (name: string) => [
    `TLS SNI ${name} from ${CLIENT} not matched, using default chain`,
    established,
  ]
  const invalid = (name: string) => [
    `warning: TLS SNI from ${CLIENT} is invalid: ${name}`,
    established,
  ]
  const table: [string, string, string[]][] = [
    ['', 'CN=own.test', [established]],
    ['first.test', 'CN=first.test', [`${established} to first.test`]],
    ['FIRST.Test', 'CN=first.test', [`${established} to FIRST.Test`]],
    ['a.b.par.test', 'CN=first.test', [`${established} to a.b.par.test`]],
    ['par.test', 'CN=own.test', unmatched('par.test')],
    ['other.test', 'CN=own.test', unmatched('other.test')],
    ['under_score.test', 'CN=own.test', unmatched('under_score.test')],
    ['bad_name!', 'CN=own.test', invalid('bad_name!')],
    ['a..b', 'CN=own.test', invalid('a..b')],
    ['x.test.', 'CN=own.test', invalid('x.test.')],
  ]
  for (const [name, subject, lines] of table) {
    t.match(await ask(t, engine, name), { subject, lines }, name)
  }
  t.match(await ask(t, engine, 'first.test', 'RSA-PSS+SHA256'), { type: 'rsa' }, 'both its keys')
  t.match(await ask(t, engine, 'first.test', 'ECDSA+SHA256'), { type: 'ec' })
})

t.test('accept() asks tables of all kinds', async (t) => {
  const texthash = file('sni', `first.test ${FIRST}\n`)
  for (const map of [
    `texthash:${texthash}`,
    `static:${FIRST}`,
    `regexp:{ { /^\\.test$/ ${FIRST} } }`,
  ]) {
    t.match(await ask(t, await engineWith(map), 'first.test'), { subject: 'CN=first.test' }, map)
  }
})

t.test('accept() without tables takes no notice of names', async (t) => {
  const { subject, lines } = await ask(t, await engineWith(''), 'first.test')
  t.equal(subject, 'CN=own.test')
  t.equal(lines.length, 1)
  t.equal(SniMaps.open('', MainConfig.of({})), undefined)
})

t.test('accept() ends the handshake when a table cannot be asked, or has rubbish', async (t) => {
  const loading = `error loading private keys and certificates from: SNI data for first.test`
  const table: [string, string[]][] = [
    [
      'fail:1',
      [
        'warning: fail:1 lookup error for "first.test"',
        'warning: tls_server_sni_maps: first.test map lookup problem',
      ],
    ],
    [
      `inline:{ { first.test = ${BAD} } }`,
      [
        'warning: No PEM data in SNI data for first.test',
        `warning: ${loading}: aborting TLS handshake`,
      ],
    ],
  ]
  for (const [map, complaints] of table) {
    const engine = await engineWith(map)
    const { stream, socket } = ends(t)
    const client = connect({ socket, servername: 'first.test', rejectUnauthorized: false })
    const refused = new Promise<Error>((resolve) => {
      client.on('error', resolve)
    })
    const found = await logged(async () => {
      await t.rejects(engine.accept(stream, serverStart()), HandshakeError)
    })
    t.same(found, [
      ...complaints,
      `SSL_accept error from ${CLIENT}: -1`,
      'warning: TLS library problem: error:0A0000EA:SSL routines::callback failed:',
    ])
    t.match((await refused).message, /alert internal error/, 'the client is told')
    t.match(await ask(t, engine, ''), { subject: 'CN=own.test' }, 'others are served')
  }
})

t.test('a file that is not there makes the table one that cannot be asked', async (t) => {
  const map = 'inline:{ { first.test = /nonexistent } }'
  let engine: ServerEngine | undefined
  t.match(
    await logged(async () => {
      engine = await engineWith(map)
    }),
    [
      /^error: open \/nonexistent: No such file or directory: "inline:.*; need "inline:\{name=filename\.\.\.\}"$/,
    ],
  )
  const { stream, socket } = ends(t)
  connect({ socket, servername: 'first.test' }).on('error', () => undefined)
  await logged(async () => {
    await t.rejects(async () => engine?.accept(stream, serverStart()), HandshakeError)
  })
})
