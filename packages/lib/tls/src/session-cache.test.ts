import fc from 'fast-check'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import {
  TLS_LEVELS,
  type TlsClientInit,
  type TlsClientParams,
  type TlsClientStart,
} from '@posthorn/wire/tlsproxy-protocol'
import { HandshakeError, openClientEngine } from './client-engine.ts'
import { decodeSession, encodeSession, sessionId } from './session-cache.ts'
import type { SessionPolicy, SessionStore } from './session-store.ts'
import { makeCertificate } from './test/certificate-maker.ts'
import { clientInit, clientParams, clientStart, PEER } from './test/settings.ts'
import { serve, type TestServer } from './test/tls-server.ts'

class MemoryStore implements SessionStore {
  readonly sessions = new Map<string, string>()
  readonly #policy: SessionPolicy | 'unknown'
  updates = 0

  constructor(policy: SessionPolicy | 'unknown' = { isCachable: true, timeoutSeconds: 3600 }) {
    this.#policy = policy
  }

  readonly policy = async () =>
    Promise.resolve(this.#policy === 'unknown' ? undefined : this.#policy)
  readonly lookup = async (id: string) => Promise.resolve(this.sessions.get(id))
  readonly update = async (id: string, session: string) => {
    this.updates++
    this.sessions.set(id, session)
    return Promise.resolve()
  }
  readonly delete = async (id: string) => {
    this.sessions.delete(id)
    return Promise.resolve()
  }
}

const root = makeCertificate({ subject: { CN: 'Test Root CA' }, isAuthority: true })
const good = makeCertificate({
  subject: { CN: 'mx.good.test' },
  dnsNames: ['mx.good.test'],
  issuer: root,
})
const context = { key: good.keyPem, cert: good.pem }
const verify = { level: TLS_LEVELS.verify, matches: ['mx.good.test'], cipherExclusions: 'aNULL' }

interface Setting {
  params?: Partial<TlsClientParams>
  init?: Partial<TlsClientInit>
  start?: Partial<TlsClientStart>
}

/** One connection; the lines that it logs. */
async function connect(
  server: TestServer,
  store: SessionStore,
  { params, init, start }: Setting = {},
): Promise<string[]> {
  const log = captureLog()
  try {
    const engine = await openClientEngine(
      clientParams(params),
      clientInit({ logLevel: 'summary, cache, untrusted', ...init }),
      { sessions: store },
    )
    const stream = await server.connect()
    await engine?.start(stream, clientStart(start))
    // tickets of TLS 1.3 come with the first words at the latest
    t.equal(await stream.readUntil('\n', 100), '220 ready\r')
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    stream.close()
    return log.lines.map((line) => line.replace(/&[0-9A-F]{64}/, '&HASH'))
  } finally {
    log.restore()
  }
}

async function startServer(t: Test, more: object = {}): Promise<TestServer> {
  return serve(t, {
    context: { ...context, ...more },
    secured: (socket) => socket.write('220 ready\r\n'),
  })
}

const ID = 'smtp&good.test&mx.good.test&127.0.0.1&&HASH'

t.test(
  'a session is stored, found and resumed, with what is known of the certificate',
  async (t) => {
    const directory = temporaryDirectory(t)
    const caFile = join(directory, 'root.pem')
    writeFileSync(caFile, root.pem)
    for (const [maxVersion, details, detailsAgain] of [
      [
        'TLSv1.3',
        'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ECDSA (prime256v1) server-digest SHA256',
        'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ECDSA (prime256v1)',
      ],
      [
        'TLSv1.2',
        'TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)',
        'TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)',
      ],
    ] as const) {
      const server = await startServer(t, { maxVersion })
      const store = new MemoryStore()
      const setting = { init: { caFile }, start: verify }
      t.same((await connect(server, store, setting)).sort(), [
        `Verified TLS connection established to ${PEER}: ${details}`,
        `looking for session ${ID} in smtp cache`,
        `save session ${ID} to smtp cache`,
      ])
      t.equal(store.sessions.size, 1)
      t.same((await connect(server, store, setting)).slice(0, 4), [
        `looking for session ${ID} in smtp cache`,
        `reloaded session ${ID} from smtp cache`,
        `${PEER}: Reusing old session`,
        `Verified TLS connection established to ${PEER}: ${detailsAgain}`,
      ])
    }
  },
)

t.test('a session never serves other levels, names, authorities or settings', async (t) => {
  const directory = temporaryDirectory(t)
  const caFile = join(directory, 'root.pem')
  writeFileSync(caFile, root.pem)
  const server = await startServer(t)
  const store = new MemoryStore()
  await connect(server, store, { init: { caFile }, start: verify })
  const before = [...store.sessions.keys()]
  const changes: [string, Setting][] = [
    ['level', { init: { caFile }, start: { ...verify, level: TLS_LEVELS.may } }],
    ['names', { init: { caFile }, start: { ...verify, matches: ['mx.good.test', 'x.test'] } }],
    ['authorities', { start: { ...verify, level: TLS_LEVELS.may } }],
    ['server name', { init: { caFile }, start: { ...verify, sni: 'mx.good.test' } }],
    ['ciphers', { init: { caFile }, start: { ...verify, cipherGrade: 'high' } }],
    ['protocols', { init: { caFile }, start: { ...verify, protocols: '>=TLSv1.2' } }],
    ['options', { params: { sslOptions: 'NO_RENEGOTIATION' }, init: { caFile }, start: verify }],
    ['groups', { params: { autoCurves: 'prime256v1' }, init: { caFile }, start: verify }],
  ]
  for (const [name, setting] of changes) {
    const lines = await connect(server, store, setting)
    t.notOk(
      lines.some((line) => line.includes('Reusing')),
      `other ${name}`,
    )
  }
  t.equal(new Set(store.sessions.keys()).size, before.length + changes.length)
})

t.test(
  'a session of somebody else is not stored; one of an untrusted peer is, where that is enough',
  async (t) => {
    const server = await startServer(t)
    const store = new MemoryStore()
    await connect(server, store, { start: verify })
    t.equal(store.sessions.size, 0)
    await connect(server, store)
    t.equal(store.sessions.size, 1)
    const lines = await connect(server, store)
    t.ok(
      lines.includes(
        `${PEER}: re-using session with untrusted certificate, look for details earlier in the log`,
      ),
    )
  },
)

t.test('what is not ours is passed over', async (t) => {
  const server = await startServer(t)
  const store = new MemoryStore()
  await connect(server, store)
  const [id = ''] = store.sessions.keys()
  store.sessions.set(id, 'something else')
  t.notOk((await connect(server, store)).some((line) => line.includes('reloaded')))
  const facts = decodeSession(store.sessions.get(id) ?? '')?.facts
  if (facts === undefined) throw new Error('it was stored')
  store.sessions.set(id, encodeSession({ facts, session: Buffer.from('rubbish') }))
  const lines = await connect(server, store)
  t.notOk(
    lines.some((line) => line.includes('Reusing')),
    'rubbish costs a full handshake',
  )
})

t.test('a session with which the handshake fails is given up', async (t) => {
  const store = new MemoryStore()
  await connect(await startServer(t), store)
  t.equal(store.sessions.size, 1)
  const broken = await serve(t, { plain: (socket) => socket.once('data', () => socket.end()) })
  await t.rejects(connect(broken, store), HandshakeError)
  t.equal(store.sessions.size, 0)
})

t.test('nothing is cached when the store says so', async (t) => {
  const server = await startServer(t)
  for (const policy of [
    'unknown' as const,
    { isCachable: false, timeoutSeconds: 3600 },
    { isCachable: true, timeoutSeconds: 0 },
  ]) {
    const store = new MemoryStore(policy)
    const lines = await connect(server, store)
    t.notOk(lines.some((line) => line.includes('session')))
    t.equal(store.updates, 0)
  }
})

t.test('decodeSession() gives what encodeSession() took, and nothing for anything else', (t) => {
  const text = fc.string()
  const facts = fc.record({
    isPresent: fc.boolean(),
    isTrusted: fc.boolean(),
    isMatched: fc.boolean(),
    peerName: text,
    issuerName: text,
    fingerprint: text,
    keyFingerprint: text,
    signature: fc.record({ name: text, curve: text, bits: fc.nat() }),
  })
  const octets = fc.uint8Array().map((array) => Buffer.from(array))
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(facts, octets, (facts, session) => {
        const decoded = decodeSession(encodeSession({ facts, session }))
        return (
          decoded?.session.equals(session) === true &&
          JSON.stringify(decoded.facts) === JSON.stringify(facts)
        )
      }),
    )
    fc.assert(fc.property(fc.string(), (noise) => decodeSession(noise) === undefined))
  })
  t.end()
})

t.test('sessionId() begins with what the caller gives, and hides the rest in a digest', (t) => {
  const start = clientStart()
  t.match(sessionId(start, ''), /^smtp&good\.test&mx\.good\.test&127\.0\.0\.1&&[0-9A-F]{64}$/)
  t.equal(sessionId(start, ''), sessionId(clientStart(), ''))
  t.not(sessionId(start, ''), sessionId(start, 'other'))
  t.end()
})
