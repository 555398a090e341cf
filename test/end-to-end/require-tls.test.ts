/**
 * require-tls - sendmail -O requiretls=yes, and TLS-Required: No, from the user to the next server (RFC 8689)
 *
 * One instance, destinations that policy wants verified: a server that offers REQUIRETLS, one that does not, one without TLS,
 * one that is away at first; and the sender's own, in plaintext, where the notice comes back. Needs root and user postfix.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { rootPem } from '@posthorn/testing/test-certificates'
import { freePort } from '@posthorn/testing/free-port'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t from 'tap'
import { Instance } from '../../scripts/instance.ts'

const named = (name: string, extensions: string[]): PeerOptions => ({
  tls: { certificate: { names: [name] }, extensions },
})
const SERVERS: Record<string, PeerOptions> = {
  'offers.test': named('offers.test', ['REQUIRETLS', 'PIPELINING']),
  'lacks.test': named('lacks.test', ['PIPELINING']),
  'plain.test': {},
  'home.test': {},
}

const peers = new Map<string, ScriptedPeer>()
for (const [name, script] of Object.entries(SERVERS)) {
  const peer = await ScriptedPeer.start(script)
  t.teardown(async () => peer.close())
  peers.set(name, peer)
}
/** Nobody listens there at first. */
const laterPort = await freePort()

const dns = await FakeDns.start(
  Object.fromEntries(
    [...Object.keys(SERVERS), 'later.test'].map((name) => [name, { A: ['127.0.0.1'] }]),
  ),
)
t.teardown(async () => dns.close())

function hop(name: string): string {
  return `[${name}]:${peers.get(name)?.port ?? laterPort}`
}

function inline(entries: readonly (readonly [string, string])[]): string {
  return `inline:{ ${entries.map(([key, value]) => `{ ${key} = ${value} }`).join(' ')} }`
}

async function startInstance(): Promise<Instance> {
  const directory = await mkdtemp(join(tmpdir(), 'require-tls-'))
  await chmod(directory, 0o755)
  const root = join(directory, 'root.pem')
  await writeFile(root, rootPem())
  const names = [...Object.keys(SERVERS), 'later.test']
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: 'posthorn',
    daemons: 'posthorn',
    owner: 'postfix',
    main: {
      dns_nameservers: dns.nameservers,
      transport_maps: inline(names.map((name) => [name, `smtp:${hop(name)}`])),
      smtp_tls_security_level: 'may',
      smtp_tls_policy_maps: inline(
        names
          .filter((name) => name !== 'home.test')
          .map((name) => [hop(name), 'secure match=nexthop']),
      ),
      smtp_tls_CAfile: root,
    },
  })
  t.teardown(async () => {
    await instance.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  return instance
}

const instance = await startInstance()

async function send(to: string, header: string, options: readonly string[]): Promise<void> {
  const args = ['-C', instance.configDirectory, ...options, '-f', 'me@home.test', `you@${to}`]
  await execa(...instance.commandLine('sendmail', args), {
    input: `Subject: to ${to}\n${header}\nthe secret text\n`,
  })
}

/** The line that tells the fate of mail to this address. */
async function fateOf(address: string): Promise<string> {
  let line: string | undefined
  const isThere = async (): Promise<boolean> => {
    const lines = (await instance.log()).split('\n')
    line = lines.find((one) => one.includes(`to=<${address}>`) && one.includes('status='))
    return line !== undefined
  }
  await waitFor(isThere, `the fate of ${address}`, 20_000)
  return line ?? ''
}

const requires = ['-O', 'requiretls=yes']
await Promise.all([
  send('offers.test', '', requires),
  send('lacks.test', '', requires),
  send('later.test', '', requires),
  send('plain.test', 'TLS-Required: No\n', []),
])

t.test('a verified server that offers REQUIRETLS is told', async (t) => {
  t.match(await fateOf('you@offers.test'), /dsn=2\.0\.0.* status=sent/)
  const [session] = peers.get('offers.test')?.sessions ?? []
  const mail = session?.tlsCommands.find((line) => line.startsWith('MAIL'))
  t.match(mail, /^MAIL FROM:<me@home\.test>.* REQUIRETLS$/)
  t.match(session?.messages[0]?.content, /^Require-TLS-ESMTP: yes\r?$/m)
})

t.test('without the offer the mail goes back, and what comes back says little', async (t) => {
  t.match(
    await fateOf('you@lacks.test'),
    /dsn=5\.7\.30.* status=bounced \(REQUIRETLS is required, but was not offered by host lacks\.test/,
  )
  t.same(peers.get('lacks.test')?.messages, [])
  t.match(await fateOf('me@home.test'), /status=sent/)
  const home = peers.get('home.test')
  const [notice] = home?.messages ?? []
  t.match(notice?.content, /^Status: 5\.7\.30\r?$/m)
  t.match(notice?.content, /^Subject: to lacks\.test\r?$/m)
  t.notMatch(notice?.content, /secret/)
  t.notMatch(home?.commands.join('\n'), /REQUIRETLS/)
})

t.test('TLS-Required: No goes where policy would not let it', async (t) => {
  t.match(await fateOf('you@plain.test'), /dsn=2\.0\.0.* status=sent/)
  t.equal(peers.get('plain.test')?.messages.length, 1)
  await send('plain.test', '', [])
  await waitFor(
    async () => /you@plain\.test.*dsn=4\.7\.4.*status=deferred/.test(await instance.log()),
    'a deferral',
    20_000,
  )
  t.equal(peers.get('plain.test')?.messages.length, 1, 'and nobody else')
})

t.test('REQUIRETLS survives postsuper -r', async (t) => {
  const line = await fateOf('you@later.test')
  t.match(line, /dsn=4\.4\.1.* status=deferred/)
  const queueId = /(\w+): to=<you@later\.test>/.exec(line)?.[1] ?? ''
  const peer = await ScriptedPeer.start({ ...named('later.test', []), port: laterPort })
  t.teardown(async () => peer.close())
  const where = ['-c', instance.configDirectory]
  await execa(...instance.commandLine('postsuper', [...where, '-r', queueId]))
  await execa(...instance.commandLine('postkick', [...where, 'public', 'pickup', 'W']))
  await waitFor(
    async () => /you@later\.test.*dsn=5\.7\.30.*status=bounced/.test(await instance.log()),
    'a bounce',
    20_000,
  )
  t.same(peer.messages, [])
})
