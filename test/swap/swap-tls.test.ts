/**
 * swap-tls - smtp, tlsmgr and tlsproxy take each other's places, with mail that goes out under TLS
 *
 * Two ways out to the same server, which offers STARTTLS: one opens a TLS session for each message, so that sessions are
 * resumed with what tlsmgr(8) remembers; the other sends all messages through connections that tlsproxy(8) keeps secure
 * and scache(8) lends out. A third goes to a server that speaks first, under TLS from the beginning. The certificate is
 * verified in all, and the server sees ours, whose key only root can read. Nothing may be lost, in plaintext, or
 * complained about.
 * And a way in: postscreen(8), which has tlsproxy(8) speak TLS with clients that it does not know yet.
 * Needs root and Postfix 3.7 from Debian. SWAP=tlsproxy runs these cells only.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@posthorn/testing/free-port'
import { ScriptedPeer, type PeerSession } from '@posthorn/testing/scripted-peer'
import { issueCertificate, rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import t, { type Test } from 'tap'
import { Instance, type System } from '../../scripts/instance.ts'
import { smtpSource } from '../../scripts/load.ts'
import { checkLog } from './complaints.ts'
import { screen, type Screening } from './screened-client.ts'

const CELLS: readonly [name: string, system: System, exchanged: readonly string[]][] = [
  ['our tlsmgr and tlsproxy in Postfix', 'postfix', ['tlsmgr', 'tlsproxy']],
  ["Postfix's tlsmgr and tlsproxy in ours", 'posthorn', ['tlsmgr', 'tlsproxy']],
  ['our smtp with tlsmgr and tlsproxy of Postfix', 'postfix', ['smtp']],
  ['all of ours', 'posthorn', []],
]

const REUSED = 40
const FRESH = 3
const WRAPPED = 5
const WAIT_MS = 8_000

interface Outcome {
  readonly received: number
  readonly sessions: readonly PeerSession[]
  readonly log: string
}

async function run(t: Test, system: System, exchanged: readonly string[]): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-swap-'))
  await chmod(directory, 0o755)
  const tls = { certificate: { names: ['localhost'] }, requestCert: true }
  const peer = await ScriptedPeer.start({ tls })
  const wrapped = await ScriptedPeer.start({ tls: { ...tls, isWrapper: true } })
  const ca = join(directory, 'ca.pem')
  await writeFile(ca, rootPem())
  const own = issueCertificate({ names: ['client.test'], usage: 'client' })
  const identity = join(directory, 'client.pem')
  await writeFile(identity, own.key + own.cert, { mode: 0o600 })
  const routes = [
    `{reused.test = kept:[localhost]:${peer.port}}`,
    `{fresh.test = fresh:[localhost]:${peer.port}}`,
    `{wrapped.test = wrapped:[localhost]:${wrapped.port}}`,
  ]
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: system,
    daemons: system,
    exchanged,
    owner: 'postfix',
    main: {
      transport_maps: `inline:{ ${routes.join(', ')} }`,
      relay_domains: 'reused.test fresh.test wrapped.test',
      smtp_host_lookup: 'native',
      smtp_tls_security_level: 'secure',
      smtp_tls_secure_cert_match: 'localhost',
      smtp_tls_CAfile: ca,
      smtp_tls_chain_files: identity,
      smtp_tls_loglevel: '1',
      smtp_tls_session_cache_database: 'btree:${data_directory}/smtp_scache',
      tlsmgr_service_name: 'sessions',
      smtp_connection_cache_destinations: `static:all`,
    },
    master: [
      'sessions unix - - n - 1 tlsmgr',
      'kept unix - - n - 5 smtp -o smtp_tls_connection_reuse=yes',
      'wrapped unix - - n - 1 smtp -o smtp_tls_connection_reuse=yes -o smtp_tls_wrappermode=yes ' +
        '-o smtp_connection_cache_destinations= -o smtp_connection_cache_on_demand=no',
      'fresh unix - - n - 1 smtp -o smtp_tls_connection_reuse=no -o smtp_connection_cache_destinations=',
    ],
  })
  t.teardown(async () => {
    await instance.stop()
    await peer.close()
    await wrapped.close()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  const received = (): number =>
    [...peer.sessions, ...wrapped.sessions].reduce((sum, { messages }) => sum + messages.length, 0)
  const load = { port: instance.smtpPort, sessions: 1 }
  for (let count = 1; count <= FRESH; count++) {
    await smtpSource({ ...load, messages: 1, to: 'user@fresh.test' })
    await waitFor(() => received() === count, `message ${count}`, WAIT_MS).catch(() => undefined)
  }
  await smtpSource({ ...load, messages: WRAPPED, to: 'user@wrapped.test' })
  await smtpSource({ ...load, sessions: 5, messages: REUSED, to: 'user@reused.test' })
  await waitFor(
    async () => received() >= FRESH + WRAPPED + REUSED && (await instance.queued()).length === 0,
    'all messages',
    WAIT_MS,
  ).catch(() => undefined) // what is missing shows in the outcome, with the log beside it
  const sessions = [...peer.sessions, ...wrapped.sessions]
  await instance.stop()
  return { received: received(), sessions, log: await instance.log() }
}

function to(domain: string, sessions: readonly PeerSession[]): PeerSession[] {
  return sessions.filter((session) =>
    session.messages.some(({ recipients }) => recipients.join().includes(domain)),
  )
}

t.jobs = 8 // each of them waits most of the time
const wanted = process.env['SWAP']?.split(',')
for (const [name, system, exchanged] of CELLS) {
  if (wanted !== undefined && !wanted.some((word) => name.includes(word))) continue
  t.test(name, { buffered: true }, async (t) => {
    const { received, sessions, log } = await run(t, system, exchanged)
    t.equal(received, FRESH + WRAPPED + REUSED, 'each message arrived exactly once')
    t.ok(
      sessions.every(({ tls }) => tls !== undefined),
      'nothing was said in plaintext',
    )
    t.same([...new Set(sessions.map(({ tls }) => tls?.client))], ['client.test'], 'our certificate')
    const fresh = to('fresh.test', sessions)
    t.equal(fresh.length, FRESH, 'a session for each message where connections are not reused')
    t.same(
      fresh.map(({ tls }) => tls?.isResumed),
      [false, true, true],
      'the first is new, and the others go on from there',
    )
    const reused = to('reused.test', sessions)
    t.ok(reused.length < REUSED / 2, `fewer sessions than messages: ${reused.length}`)
    t.match(log, /conn_use=\d+/, 'the log says so')
    t.match(log, /Verified TLS connection reused to localhost\[127\.0\.0\.1\]/)
    const connects = log.match(/tlsproxy\[\d+\]: CONNECT to \[127\.0\.0\.1\]:\d+/g) ?? []
    t.equal(to('wrapped.test', sessions).length, WRAPPED, 'a server that speaks first')
    t.equal(connects.length, reused.length + WRAPPED, 'tlsproxy(8) carried each of them')
    checkLog(t, log)
  })
}

/** With the postscreen(8) of Postfix: there is none of ours yet. */
const SCREENED: readonly [name: string, exchanged: readonly string[]][] = [
  ['postscreen with our tlsproxy', ['tlsproxy']],
  ['postscreen with our tlsproxy and tlsmgr', ['tlsproxy', 'tlsmgr']],
]
const CLIENTS = 3

async function screened(t: Test, exchanged: readonly string[]): Promise<[Screening[], string]> {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-swap-'))
  await chmod(directory, 0o755)
  const own = issueCertificate({ names: ['mx.example.test'] })
  const identity = join(directory, 'server.pem')
  await writeFile(identity, own.key + own.cert, { mode: 0o600 })
  const port = await freePort()
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: 'postfix',
    daemons: 'postfix',
    exchanged,
    owner: 'postfix',
    main: {
      smtpd_tls_security_level: 'may',
      smtpd_tls_chain_files: identity,
      smtpd_tls_loglevel: '1',
      // so that clients are strangers, and are talked to
      postscreen_access_list: '',
      postscreen_greet_wait: '1s',
      postscreen_bare_newline_enable: 'yes',
      postscreen_cache_map: 'btree:${data_directory}/postscreen_cache',
    },
    master: [
      `127.0.0.1:${port} inet n - n - 1 postscreen`,
      'smtpd pass - - n - - smtpd',
      'dnsblog unix - - n - 0 dnsblog',
    ],
  })
  t.teardown(async () => {
    await instance.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  const outcomes = await Promise.all(Array.from({ length: CLIENTS }, async () => screen(port)))
  const isDone = async (): Promise<boolean> => {
    const ends = (await instance.log()).match(/\/tlsproxy\[\d+\]: DISCONNECT \[/g)
    return ends?.length === CLIENTS
  }
  await waitFor(isDone, 'the end of all sessions', WAIT_MS)
  await instance.stop()
  return [outcomes, await instance.log()]
}

for (const [name, exchanged] of SCREENED) {
  if (wanted !== undefined && !wanted.some((word) => name.includes(word))) continue
  t.test(name, { buffered: true }, async (t) => {
    const [outcomes, log] = await screened(t, exchanged)
    const expected = {
      codes: ['220', '250', '220', '250', '250', '450', '221'],
      protocol: 'TLSv1.3',
      subject: 'mx.example.test',
      hasEnded: true,
    }
    t.same(
      outcomes,
      outcomes.map(() => expected),
    )
    t.match(log, /postscreen\[\d+\]: PASS NEW \[127\.0\.0\.1\]/)
    const established =
      /tlsproxy\[\d+\]: Anonymous TLS connection established from \[127\.0\.0\.1\]:\d+: TLSv1\.3 /g
    t.equal(log.match(established)?.length, CLIENTS)
    checkLog(t, log)
  })
}
