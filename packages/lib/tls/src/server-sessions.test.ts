/**
 * server-sessions.test - what makes the next handshake of a client cheap: tickets, and sessions with an id
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { PEER_STATUS } from '@posthorn/wire/tlsproxy-protocol'
import t, { type Test } from 'tap'
import type { ServerEngine } from './server-engine.ts'
import { opensslNumber } from './server-sessions.ts'
import type { SessionPolicy, SessionStore } from './session-store.ts'
import {
  accept,
  CLIENT,
  logged,
  openEngine,
  type ServerSetting,
} from './test/accepted-connection.ts'
import { makeCertificate } from './test/certificate-maker.ts'
import { good, inter, root } from './test/judged-connection.ts'
import type { TicketKeySource } from './ticket-keys.ts'

const directory = temporaryDirectory(t)
const chainFiles = join(directory, 'own.pem')
writeFileSync(chainFiles, good.keyPem + good.pem)
const caFile = join(directory, 'ca.pem')
writeFileSync(caFile, root.pem)

/** tlsmgr(8), of one system. */
class Shared implements SessionStore, TicketKeySource {
  readonly stored = new Map<string, string>()
  readonly keys: string[] = []
  readonly #policy: SessionPolicy | undefined

  constructor(policy: SessionPolicy | 'unknown' = { isCachable: true, timeoutSeconds: 3600 }) {
    this.#policy = policy === 'unknown' ? undefined : policy
    this.addKey('a', 1800)
  }

  /** From now on the current one. */
  addKey(letter: string, endsInSeconds: number): void {
    const end = Buffer.alloc(8)
    end.writeBigInt64LE(BigInt(Math.floor(Date.now() / 1000) + endsInSeconds))
    this.keys.unshift(letter.repeat(80) + end.toString('latin1'))
  }

  readonly policy = async () => Promise.resolve(this.#policy)
  readonly lookup = async (id: string) => Promise.resolve(this.stored.get(id))
  readonly update = async (id: string, session: string) => {
    this.stored.set(id, session)
    return Promise.resolve()
  }
  readonly delete = async () => Promise.resolve()
  readonly ticketKey = async (name: string) =>
    Promise.resolve(this.keys.find((key) => key.startsWith(name)))
}

/** Each is another process. */
async function engineOf(shared: Shared, setting: ServerSetting = {}): Promise<ServerEngine> {
  const engine = await openEngine({
    ...setting,
    init: { chainFiles, caFile, logLevel: 'cache', ...setting.init },
    options: { sessions: shared, ticketKeys: shared },
  })
  if (engine === undefined) throw new Error('no engine')
  return engine
}

interface Visit {
  readonly session: Buffer | undefined
  readonly isReused: boolean
  readonly peerStatus: number
  readonly lines: string[]
}

/** A client that says a word and leaves with a session. */
async function visit(t: Test, engine: ServerEngine, tls: ConnectionOptions = {}): Promise<Visit> {
  let result: Omit<Visit, 'lines'> | undefined
  const found = await logged(async () => {
    const { stream, client, context } = await accept(t, engine, tls)
    let session: Buffer | undefined
    client.on('session', (given: Buffer) => (session = given))
    client.resume()
    stream.write('220 hello\r\n')
    await once(client, 'data')
    result = {
      session: session ?? client.getSession(),
      isReused: client.isSessionReused(),
      peerStatus: context.peerStatus,
    }
    client.destroy()
    await stream.fill().catch(() => false)
    stream.close()
  })
  if (result === undefined) throw new Error('no handshake')
  const lines = found.map((line) =>
    line.replace(/[0-9A-F]{64}&s=smtpd&l=\d+/, 'ID').replace(/expiration: \d+/, 'expiration: N'),
  )
  return { ...result, lines }
}

const again = ({ session }: Visit, tls: ConnectionOptions = {}): ConnectionOptions => ({
  ...tls,
  ...(session !== undefined && { session }),
})
const VERSIONS = [{}, { maxVersion: 'TLSv1.2' }] as const
const NO_TICKETS = { params: { sslOptions: 'NO_TICKET' } }

t.test('a ticket is good for every engine with the same keys', async (t) => {
  for (const version of VERSIONS) {
    const shared = new Shared()
    const first = await visit(t, await engineOf(shared), version)
    t.equal(first.isReused, false)
    t.same(first.lines, [`${CLIENT}: Issuing session ticket, key expiration: N`])
    const second = await visit(t, await engineOf(shared), again(first, version))
    t.equal(second.isReused, true)
    t.same(second.lines, [
      `${CLIENT}: Decrypting session ticket, key expiration: N`,
      `${CLIENT}: Reusing old session (RFC 5077 session ticket)`,
    ])
    t.equal(shared.stored.size, 0, 'nothing need be stored')
    const stranger = new Shared()
    stranger.keys.length = 0
    stranger.addKey('z', 1800)
    t.equal((await visit(t, await engineOf(stranger), again(first, version))).isReused, false)
  }
})

t.test('a ticket outlives the time of its key, as long as tlsmgr(8) knows it', async (t) => {
  for (const version of VERSIONS) {
    const shared = new Shared()
    const first = await visit(t, await engineOf(shared), version)
    shared.addKey('b', 1800)
    const engine = await engineOf(shared)
    t.equal((await visit(t, engine, version)).isReused, false, 'others have the new key')
    t.equal((await visit(t, engine, again(first, version))).isReused, true)
    shared.keys.pop()
    const late = await engineOf(shared)
    t.equal((await visit(t, late, again(first, version))).isReused, false, 'it is forgotten')
  }
})

t.test('a session with an id is found where there are no tickets', async (t) => {
  for (const version of VERSIONS) {
    const shared = new Shared()
    const first = await visit(t, await engineOf(shared, NO_TICKETS), version)
    t.ok(first.lines.every((line) => line === `${CLIENT}: save session ID to smtpd cache`))
    t.ok(shared.stored.size > 0)
    const second = await visit(t, await engineOf(shared, NO_TICKETS), again(first, version))
    t.equal(second.isReused, true)
    t.same(second.lines.slice(0, 3), [
      `${CLIENT}: looking up session ID in smtpd cache`,
      `${CLIENT}: reloaded session ID from smtpd cache`,
      `${CLIENT}: Reusing old session`,
    ])
    shared.stored.clear()
    t.equal(
      (await visit(t, await engineOf(shared, NO_TICKETS), again(first, version))).isReused,
      false,
    )
  }
})

t.test('rubbish in the store costs a full handshake', async (t) => {
  for (const version of VERSIONS) {
    const shared = new Shared()
    const first = await visit(t, await engineOf(shared, NO_TICKETS), version)
    for (const id of shared.stored.keys()) shared.stored.set(id, 'rubbish')
    t.equal(
      (await visit(t, await engineOf(shared, NO_TICKETS), again(first, version))).isReused,
      false,
    )
  }
})

t.test('tls_session_ticket_cipher switches tickets on and off', async (t) => {
  for (const [ticketCipher, hasTickets, complaints] of [
    ['aes-256-cbc', true, []],
    ['aes-128-cbc', true, []],
    ['', false, []],
    ...['aes-256-gcm', 'bogus'].map((name) => [
      name,
      false,
      [`warning: tls_session_ticket_cipher: invalid value: ${name}; session tickets disabled`],
    ]),
  ] as [string, boolean, string[]][]) {
    const shared = new Shared()
    const found = await logged(async () => {
      const engine = await engineOf(shared, { params: { ticketCipher } })
      await visit(t, engine)
    })
    t.same(
      found.filter((line) => line.startsWith('warning')),
      complaints,
      ticketCipher,
    )
    t.equal(shared.stored.size === 0, hasTickets, ticketCipher)
  }
})

t.test('nothing goes on where tlsmgr(8) says so, or cannot be asked', async (t) => {
  for (const policy of ['unknown', { isCachable: true, timeoutSeconds: 0 }] as const) {
    for (const version of VERSIONS) {
      const shared = new Shared(policy)
      const engine = await engineOf(shared)
      const first = await visit(t, engine, version)
      t.same(first.lines, [])
      t.equal((await visit(t, engine, again(first, version))).isReused, false)
      t.equal(shared.stored.size, 0)
    }
  }
})

t.test('a client that was asked for its certificate is known again, or not resumed', async (t) => {
  const trusted = PEER_STATUS.certificate | PEER_STATUS.trusted
  const direct = makeCertificate({ subject: { CN: 'client.test' }, issuer: root })
  const SHORT = { key: direct.keyPem, cert: direct.pem }
  const LONG = { key: good.keyPem, cert: good.pem + inter.pem }
  const stranger = makeCertificate({ subject: { CN: 'stranger.test' } })
  const UNKNOWN = { key: stranger.keyPem, cert: stranger.pem }
  for (const version of VERSIONS) {
    for (const [client, verifyDepth, status, isReused] of [
      [SHORT, -1, trusted, true],
      [LONG, 9, trusted, true],
      [UNKNOWN, 9, PEER_STATUS.certificate, true],
      // longer than it may be, which OpenSSL does not know
      [LONG, -1, PEER_STATUS.certificate, false],
    ] as const) {
      const shared = new Shared()
      const setting = { init: { asksForCertificate: true, verifyDepth } }
      const first = await visit(t, await engineOf(shared, setting), { ...client, ...version })
      t.equal(first.peerStatus, status)
      const tls = again(first, version)
      const second = await visit(t, await engineOf(shared, setting), tls)
      t.equal(second.isReused, isReused)
      t.equal(second.peerStatus, isReused ? status : 0)
      const strict = { init: { ...setting.init, verifyDepth: 3 } }
      const third = await visit(t, await engineOf(shared, strict), tls)
      t.equal(third.isReused, false, 'where clients are judged in another way')
      const careless = await visit(t, await engineOf(shared), tls)
      t.equal(careless.isReused, false, 'where they are not')
    }
  }
})

t.test('a session that is not trusted is said to be so', async (t) => {
  const stranger = makeCertificate({ subject: { CN: 'stranger.test' } })
  const shared = new Shared()
  const setting = { init: { asksForCertificate: true, logLevel: 'untrusted' } }
  const first = await visit(t, await engineOf(shared, setting), {
    key: stranger.keyPem,
    cert: stranger.pem,
  })
  t.same(first.lines, [`certificate verification failed for ${CLIENT}: self-signed certificate`])
  const second = await visit(t, await engineOf(shared, setting), again(first))
  t.same(second.lines, [
    `${CLIENT}: re-using session with untrusted certificate, look for details earlier in the log`,
  ])
})

t.test('opensslNumber() is that of the library', (t) => {
  t.equal(opensslNumber('3.0.22').toString(16), '30000160')
  t.equal(opensslNumber('3.5.8+quic').toString(16), '30500080')
  t.end()
})
