/**
 * swap-lmtp - lmtp takes its counterpart's place, and so does all that delivers to servers: smtp, lmtp, scache, tlsmgr, tlsproxy
 *
 * To one LMTP server each over a Unix-domain socket and over TCP, in plaintext and under TLS, and to an SMTP server under TLS.
 * One delivery at a time, so that idle connections are kept by scache(8), which has another name here: the name of its own
 * belongs to a program that keeps none. Nothing may be lost, in plaintext where TLS is demanded, or complained about.
 * Needs root and Postfix 3.7 from Debian. SWAP=lmtp runs these cells only.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import { rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import t, { type Test } from 'tap'
import { Instance, type System } from '../../scripts/instance.ts'
import { smtpSource } from '../../scripts/load.ts'
import { checkLog } from './complaints.ts'

const CLIENTS = ['smtp', 'lmtp', 'scache', 'tlsmgr', 'tlsproxy']
const CELLS: readonly [name: string, system: System, exchanged: readonly string[]][] = [
  ['our lmtp in Postfix', 'postfix', ['lmtp']],
  ["Postfix's lmtp in ours", 'posthorn', ['lmtp']],
  [`our ${CLIENTS.join(', ')} in Postfix`, 'postfix', CLIENTS],
  [`Postfix's ${CLIENTS.join(', ')} in ours`, 'posthorn', CLIENTS],
]

/** To each destination whose connections are reused. */
const REUSED = 10
/** To the one whose sessions are resumed. */
const FRESH = 3
const WAIT_MS = 10_000

/** Lines that say nothing is wrong although they are warnings. */
const EXPECTED = [
  // Postfix's tlsproxy of every lmtp, also its own: only the names differ
  /warning: request from tlsproxy client with unexpected settings$/,
  /warning: \(server\) 'log_param=smtp_tls_loglevel' != \(client\) 'log_param=lmtp_tls_loglevel'; \(server\) 'cache_type=smtp' != \(client\) 'cache_type=lmtp'$/,
  /warning: to avoid this warning, 1\) identify the tlsproxy client/,
]

const REUSED_DOMAINS = ['unix.test', 'inet.test', 'proxied.test', 'smtp.test']

interface Outcome {
  readonly byDomain: Readonly<Record<string, ScriptedPeer>>
  readonly log: string
}

function countAt(peer: ScriptedPeer | undefined): number {
  return peer?.messages.length ?? 0
}

async function run(t: Test, system: System, exchanged: readonly string[]): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-swap-'))
  await chmod(directory, 0o755)
  const ca = join(directory, 'ca.pem')
  await writeFile(ca, rootPem())
  const tls = { certificate: { names: ['localhost'] } }
  const path = join(directory, 'lmtp')
  const secret = join(directory, 'secret')
  const byDomain = {
    'unix.test': await ScriptedPeer.start({ isLmtp: true, path }),
    'inet.test': await ScriptedPeer.start({ isLmtp: true }),
    'secret.test': await ScriptedPeer.start({ isLmtp: true, path: secret, tls }),
    'proxied.test': await ScriptedPeer.start({ isLmtp: true, tls }),
    'fresh.test': await ScriptedPeer.start({ isLmtp: true, tls }),
    'smtp.test': await ScriptedPeer.start({ tls }),
  }
  await chmod(path, 0o777)
  await chmod(secret, 0o777)
  const at = (domain: keyof typeof byDomain): string => `[localhost]:${byDomain[domain].port}`
  const routes = [
    `{unix.test = lmtp:unix:${path}}`,
    `{inet.test = lmtp:inet:${at('inet.test')}}`,
    `{secret.test = encrypted:unix:${secret}}`,
    `{proxied.test = proxied:inet:${at('proxied.test')}}`,
    `{fresh.test = fresh:inet:${at('fresh.test')}}`,
    `{smtp.test = smtp:${at('smtp.test')}}`,
  ]
  const secure = '-o lmtp_tls_security_level=secure'
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: system,
    daemons: system,
    exchanged,
    owner: 'postfix',
    main: {
      transport_maps: `inline:{ ${routes.join(', ')} }`,
      relay_domains: Object.keys(byDomain).join(' '),
      smtp_host_lookup: 'native',
      lmtp_host_lookup: 'native',
      smtp_tls_security_level: 'secure',
      smtp_tls_secure_cert_match: 'localhost',
      lmtp_tls_secure_cert_match: 'localhost',
      smtp_tls_connection_reuse: 'yes',
      smtp_tls_CAfile: ca,
      lmtp_tls_CAfile: ca,
      lmtp_tls_session_cache_database: 'btree:${data_directory}/lmtp_scache',
      connection_cache_service_name: 'idle',
      smtp_connection_cache_destinations: 'static:all',
      lmtp_connection_cache_destinations: 'static:all',
    },
    master: [
      'idle unix - - n - 1 scache',
      'scache unix - - n - 1 error',
      'smtp unix - - n - 1 smtp',
      'lmtp unix - - n - 1 lmtp',
      'encrypted unix - - n - 1 lmtp -o lmtp_tls_security_level=encrypt',
      `proxied unix - - n - 1 lmtp ${secure} -o lmtp_tls_connection_reuse=yes`,
      `fresh unix - - n - 1 lmtp ${secure} -o lmtp_tls_connection_reuse=no`,
    ],
  })
  t.teardown(async () => {
    await instance.stop()
    for (const peer of Object.values(byDomain)) await peer.close()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  const load = { port: instance.smtpPort, sessions: 1 }
  for (let count = 1; count <= FRESH; count++) {
    await smtpSource({ ...load, messages: 1, to: 'user@fresh.test' })
    await waitFor(() => countAt(byDomain['fresh.test']) === count, 'a message', WAIT_MS).catch(
      () => undefined,
    )
  }
  await smtpSource({ ...load, messages: 1, recipients: 3, to: 'user@secret.test' })
  await Promise.all(
    REUSED_DOMAINS.map(async (domain) =>
      smtpSource({ ...load, messages: REUSED, to: `user@${domain}` }),
    ),
  )
  const wanted = FRESH + 1 + REUSED * REUSED_DOMAINS.length
  const received = (): number =>
    Object.values(byDomain).reduce((sum, peer) => sum + countAt(peer), 0)
  await waitFor(
    async () => received() >= wanted && (await instance.queued()).length === 0,
    'all messages',
    WAIT_MS,
  ).catch(() => undefined) // what is missing shows in the outcome, with the log beside it
  await instance.stop()
  return { byDomain, log: await instance.log() }
}

t.jobs = CELLS.length // each of them waits most of the time
const wanted = process.env['SWAP']?.split(',')
for (const [name, system, exchanged] of CELLS) {
  if (wanted !== undefined && !wanted.some((word) => name.includes(word))) continue
  t.test(name, { buffered: true }, async (t) => {
    const { byDomain, log } = await run(t, system, exchanged)
    for (const domain of REUSED_DOMAINS) {
      t.equal(countAt(byDomain[domain]), REUSED, `${domain}: each message arrived exactly once`)
      const sessions = byDomain[domain]?.sessions ?? []
      t.ok(sessions.length < REUSED / 2, `${domain}: fewer sessions: ${sessions.length}`)
      t.match(log, new RegExp(`@${domain}>, relay=\\S+, conn_use=\\d+`), `${domain}: reused`)
    }
    for (const domain of ['secret.test', 'proxied.test', 'fresh.test', 'smtp.test']) {
      const sessions = byDomain[domain]?.sessions ?? []
      t.ok(
        sessions.every(({ tls }) => tls !== undefined),
        `${domain}: nothing was said in plaintext`,
      )
    }
    const secret = byDomain['secret.test']?.messages ?? []
    t.same(
      secret.map(({ recipients }) => recipients.length),
      [3],
      'one message for three recipients',
    )
    t.equal(log.match(/@secret\.test>, relay=\S+, .*status=sent/g)?.length, 3, 'each has a reply')
    t.same(
      byDomain['fresh.test']?.sessions.map(({ tls }) => tls?.isResumed),
      [false, true, true],
      'the first is new, and the others go on from there',
    )
    checkLog(t, log, EXPECTED)
  })
}
