/**
 * tlsproxy.test - the real smtp(8) with the tlsproxy(8) of Postfix, and with ours: the same fate of the mail, the same log
 *
 * Each scenario is a way out of its own to a server of its own. The lines of both processes are compared, in order,
 * without what differs from run to run. Of what the TLS library says, its error number counts: the libraries differ.
 */
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { Instance } from '../../scripts/instance.ts'
import { comparable } from './both-systems.ts'

interface Scenario {
  readonly settings: Record<string, string>
  readonly server: PeerOptions | 'closes' | 'garbage' | 'silent'
}

const good: PeerOptions = { tls: { certificate: { names: ['localhost'] } } }
const SCENARIOS: Record<string, Scenario> = {
  encrypt: { settings: { smtp_tls_security_level: 'encrypt' }, server: good },
  secure: { settings: { smtp_tls_security_level: 'secure' }, server: good },
  wrapper: {
    settings: { smtp_tls_security_level: 'encrypt', smtp_tls_wrappermode: 'yes' },
    server: { tls: { certificate: { names: ['localhost'] }, isWrapper: true } },
  },
  oldtls: {
    settings: { smtp_tls_security_level: 'encrypt' },
    server: { tls: { certificate: { names: ['localhost'], key: 'rsa' }, maxVersion: 'TLSv1.2' } },
  },
  anonymous: {
    settings: { smtp_tls_security_level: 'encrypt' },
    server: {
      tls: { certificate: false, ciphers: 'AECDH-AES256-SHA@SECLEVEL=0', maxVersion: 'TLSv1.2' },
    },
  },
  wrongname: {
    settings: { smtp_tls_security_level: 'secure' },
    server: { tls: { certificate: { names: ['other.test'] } } },
  },
  selfsigned: {
    settings: { smtp_tls_security_level: 'verify' },
    server: { tls: { certificate: { names: ['localhost'], issuer: 'self' } } },
  },
  badcipher: {
    settings: { smtp_tls_security_level: 'encrypt', smtp_tls_mandatory_ciphers: 'bogus' },
    server: good,
  },
  loglevel: {
    settings: { smtp_tls_security_level: 'encrypt', smtp_tls_loglevel: '0' },
    server: good,
  },
  nofile: {
    settings: { smtp_tls_security_level: 'encrypt', smtp_tls_cert_file: '/nonexistent/cert.pem' },
    server: good,
  },
  garbage: { settings: { smtp_tls_security_level: 'encrypt' }, server: 'garbage' },
  closes: { settings: { smtp_tls_security_level: 'encrypt' }, server: 'closes' },
  silent: {
    settings: { smtp_tls_security_level: 'encrypt', smtp_starttls_timeout: '1s' },
    server: 'silent',
  },
  last: {
    settings: { smtp_tls_security_level: 'encrypt' },
    server: { ...good, replies: { 'RCPT TO': { text: '421 going', close: true } } },
  },
}
const NAMES = Object.keys(SCENARIOS)

/** Offers STARTTLS, and then does something else. */
async function falseServer(t: Test, kind: 'closes' | 'garbage' | 'silent'): Promise<number> {
  const server: Server = createServer((socket) => {
    t.teardown(() => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.write('220 peer.test ESMTP\r\n')
    socket.on('data', (octets: Buffer) => {
      const text = octets.toString('latin1')
      if (/^EHLO/i.test(text)) socket.write('250-peer.test\r\n250 STARTTLS\r\n')
      else if (/^STARTTLS/i.test(text)) socket.write('220 go ahead\r\n')
      else if (/^QUIT/i.test(text)) socket.end('221 bye\r\n')
      // now comes the ClientHello
      else if (kind === 'closes') socket.end()
      else if (kind === 'garbage') socket.end('500 5.5.1 what is that?\r\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

async function listen(t: Test, { server }: Scenario): Promise<number> {
  if (typeof server === 'string') return falseServer(t, server)
  const peer = await ScriptedPeer.start(server)
  t.teardown(async () => peer.close())
  return peer.port
}

/** What was logged of each scenario: by smtp(8), and by tlsproxy(8). */
async function run(t: Test, exchanged: readonly string[]): Promise<Record<string, string[]>> {
  const directory = await mkdtemp(join(tmpdir(), 'parity-postfix-'))
  await chmod(directory, 0o755)
  const ca = join(directory, 'ca.pem')
  await writeFile(ca, rootPem())
  const ports = new Map<string, number>()
  for (const name of NAMES) ports.set(name, await listen(t, scenario(name)))
  const routes = NAMES.map((name) => `{${name}.test = ${name}:[localhost]:${ports.get(name)}}`)
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: 'postfix',
    daemons: 'postfix',
    exchanged,
    owner: 'postfix',
    main: {
      transport_maps: `inline:{ ${routes.join(', ')} }`,
      smtp_host_lookup: 'native',
      smtp_tls_connection_reuse: 'yes',
      // without it in main.cf the real tlsproxy(8) dies by signal 11
      smtp_tls_security_level: 'may',
      smtp_tls_secure_cert_match: 'localhost',
      smtp_tls_CAfile: ca,
      smtp_tls_loglevel: '1',
    },
    master: NAMES.map(
      (name) =>
        `${name} unix - - n - 1 smtp -o syslog_name=${name} ` +
        Object.entries(scenario(name).settings)
          .map(([parameter, value]) => `-o ${parameter}=${value}`)
          .join(' '),
    ),
  })
  t.teardown(async () => {
    await instance.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  for (const name of NAMES) {
    const args = ['-C', instance.configDirectory, '-f', 'me@example.test', `u@${name}.test`]
    await execa(...instance.commandLine('sendmail', args), { input: 'Subject: x\n\nhello\n' })
  }
  const isDone = async (): Promise<boolean> => {
    const log = await instance.log()
    return NAMES.every(
      (name) =>
        log.includes(` to=<u@${name}.test>`) &&
        (name === 'nofile' || log.includes(`DISCONNECT [127.0.0.1]:${ports.get(name)}`)),
    )
  }
  await waitFor(isDone, 'all mail to have a fate', 20_000).catch(() => undefined)
  await instance.stop()
  const log = await instance.log()
  return {
    ...Object.fromEntries(
      NAMES.map((name) => [name, linesOf(log, name, ports.get(name) ?? 0)] as const),
    ),
    others: warningsOf(log),
  }
}

/** What tlsproxy(8) warns of without saying whom it concerns. */
function warningsOf(log: string): string[] {
  const lines = comparable(log)
    .split('\n')
    .filter((line) => line.includes('/tlsproxy[PID]: warning: ') && !line.includes('[127.0.0.1]:'))
    .map((line) => line.replace(/^.*\[PID\]: /, ''))
    .map((line) => line.replace(/(TLS library problem: error:\w+:SSL routines:).*/, '$1'))
  return [...new Set(lines)].sort()
}

function scenario(name: string): Scenario {
  const found = SCENARIOS[name]
  if (found === undefined) throw new Error(`no scenario ${name}`)
  return found
}

/** Lines without a port belong to nobody for sure, as scenarios run at the same time. */
function linesOf(log: string, name: string, port: number): string[] {
  const lines = comparable(log)
    .split('\n')
    .filter((line) => line.startsWith(`${name}/smtp`) || line.includes(`:${port}`))
    .map((line) => line.replaceAll(`:${port}`, ':PORT'))
    .map((line) => line.replace(/^(?:\S+\/)?(\w+)\[PID\]: /, '$1: '))
  // between two processes the order is that of chance
  const by = (program: string): string[] => lines.filter((line) => line.startsWith(program))
  return [...by('smtp:'), ...by('tlsproxy:')]
}

t.test('the same fate, and the same log', async (t) => {
  const [postfix, posthorn] = await Promise.all([run(t, []), run(t, ['tlsproxy'])])
  for (const name of [...NAMES, 'others']) {
    t.same(posthorn[name], postfix[name], name)
    t.ok((postfix[name]?.length ?? 0) > 1, `${name}: there is something to compare`)
  }
})
