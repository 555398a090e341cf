/**
 * smtp-jail - smtp(8) with `y` in the chroot column of master.cf: what it finds before it is locked up, and what inside
 *
 *     before   certificates, keys that only root can read, CAfile, CApath, lookup tables
 *     inside   etc/resolv.conf, sockets of other services, smtp_tls_trust_anchor_file
 *
 * The name server of the jail is another one than outside, where nobody answers. Needs root and Postfix 3.7.
 */
import './private-network.ts'
import { mkdir, mkdtemp, chmod, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import { issueCertificate, rootPem, tlsaData } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t from 'tap'
import { comparable, onBoth } from './both-systems.ts'
import { deliver } from './smtp-request.ts'

t.setTimeout(120_000)

const INSIDE = '127.0.0.9'
const settings = (level: string, more = ''): string =>
  ` -o smtp_tls_security_level=${level} -o smtp_dns_support_level=dnssec ${more}`
const verify = '-o smtp_tls_verify_cert_match=hostname'
/** By service: how it is started, and what becomes of the mail. */
const SERVICES: Readonly<Record<string, readonly [options: string, expected: RegExp]>> = {
  verify: [settings('verify', verify), /status=sent/],
  dane: [settings('dane-only'), /status=sent/],
  pinned: [settings('fingerprint', `-o smtp_tls_fingerprint_cert_match=00:11`), /status=deferred/],
  anchored: [
    settings(
      'verify',
      `${verify} -o smtp_tls_CAfile= -o smtp_tls_trust_anchor_file=/etc/anchor.pem`,
    ),
    /status=sent/,
  ],
  outside: [
    settings('verify', `${verify} -o smtp_tls_CAfile= -o smtp_tls_trust_anchor_file=$ca`),
    /status=deferred/,
  ],
  proxied: [settings('verify', `${verify} -o smtp_tls_connection_reuse=yes`), /status=sent/],
}

const queueId = (at: number): string => `ABC00${at + 1}0`

t.test('smtp in a jail', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'smtp-jail-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  const [ca, identity, table] = ['root.pem', 'client.pem', 'generic'].map((name) =>
    join(directory, name),
  ) as [string, string, string]
  const client = issueCertificate({ names: ['client.test'], usage: 'client' })
  await writeFile(ca, rootPem())
  await writeFile(identity, client.key + client.cert, { mode: 0o600 })
  await writeFile(table, '/^from@/ other@outside.test\n', { mode: 0o600 })
  const tls = { certificate: { names: ['mx.a.test'] }, requestCert: true }
  const peer = await ScriptedPeer.start({ address: '127.0.0.8', port: 25, tls })
  t.teardown(async () => peer.close())
  const names = {
    'a.test': { MX: [[10, 'mx.a.test'] as const] },
    'mx.a.test': { A: ['127.0.0.8'] },
    '_25._tcp.mx.a.test': { TLSA: [[3, 1, 1, tlsaData({}, 1, 1)] as const] },
  }
  const dns = await FakeDns.start(names, { address: INSIDE, port: 53, isSecure: true })
  t.teardown(async () => dns.close())
  const options = {
    main: {
      queue_service_name: 'nobody',
      smtp_tls_CAfile: ca,
      smtp_tls_chain_files: identity,
      smtp_tls_loglevel: '1',
      smtp_generic_maps: `regexp:${table}`,
      max_idle: '2s',
    },
    master: [
      'qmgr unix n - n 0 1 qmgr',
      'tlsmgr unix - - y 1000? 1 tlsmgr',
      'tlsproxy unix - - y - 0 tlsproxy -o smtp_tls_security_level=may',
      ...Object.entries(SERVICES).map(
        ([name, [words]]) => `${name} unix - - y - - smtp${words.replace('$ca', ca)}`,
      ),
    ],
  }
  const { stdout: uid } = await execa('id', ['-u', 'postfix'])
  const seen = await onBoth(t, options, async (instance) => {
    const jail = join(instance.queueDirectory, 'etc')
    await mkdir(jail, { recursive: true })
    await writeFile(join(jail, 'resolv.conf'), `nameserver ${INSIDE}\n`)
    await writeFile(join(jail, 'anchor.pem'), rootPem())
    const before = peer.sessions.length
    await Promise.all(
      Object.keys(SERVICES).map(async (service, at) =>
        deliver(instance, Number(uid), service, queueId(at), { nexthop: 'a.test' }),
      ),
    )
    await waitFor(async () => {
      const log = await instance.log()
      const count = log.match(/: to=</g)?.length
      return count === Object.keys(SERVICES).length && log.includes('DISCONNECT ')
    }, 'a line for each delivery, and the last one of tlsproxy(8)')
    const sessions = peer.sessions.slice(before)
    return {
      log: (await instance.log())
        .split('\n')
        .filter((line) => /(?:smtp|tlsproxy)\[\d+\]/.test(line))
        .map((line) => comparable(line).replace(/^\S+ /, '').replaceAll(directory, 'OUTSIDE'))
        .sort(),
      sessions: sessions
        .map(({ tls, messages }) => `${tls?.client} ${messages.map(({ sender }) => sender).join()}`)
        .sort(),
    }
  })
  t.same(seen.posthorn, seen.postfix, 'the same in both')
  t.match(seen.posthorn.sessions[0], /^client\.test/, 'with our certificate')
  for (const [at, [service, [, expected]]] of Object.entries(SERVICES).entries()) {
    const line = seen.posthorn.log.find((text) => text.includes(`${queueId(at)}: to=`))
    t.match(line, expected, service)
  }
})
