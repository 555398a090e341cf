/**
 * mta-sts - mail to domains with MTA-STS policies: smtp(8) asks mtasts(8), which asks DNS and an HTTPS server
 *
 * Two systems: Posthorn with the policies of Postfix 3.10, and Postfix 3.7 with our mtasts(8) and the policies of its own
 * form. Servers for the same domains, some of which no policy lists. Where the two differ, mtasts(8) says so in its manual page.
 * Needs root, Postfix 3.7, and what private-network.ts names.
 */
import '../parity/private-network.ts'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PolicySite } from '@posthorn/mtasts/test/policy-site'
import { ScriptedPeer, type PeerSession } from '@posthorn/testing/scripted-peer'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { Instance, type System } from '../../scripts/instance.ts'

const WAIT_MS = 10_000

/** By domain: its MX hosts in order, mode and patterns. A host's certificate is for its name, on the same address. */
const DOMAINS = {
  // a host that is not listed comes first
  'listed.test': [['mx.other.test', 'mx.listed.test'], 'enforce', ['mx.listed.test']],
  'unlisted.test': [['mx.other.test'], 'enforce', ['mx.unlisted.test']],
  // RFC 8461 4.1: `*` is one label
  'wild.test': [['mx.wild.test'], 'enforce', ['*.wild.test']],
  'deep.test': [['a.b.deep.test'], 'enforce', ['*.deep.test']],
  'plain.test': [['mx.plain.test'], 'enforce', ['mx.plain.test']],
  'testing.test': [['mx.other.test'], 'testing', ['mx.testing.test']],
} as const satisfies Record<string, readonly [readonly string[], string, readonly string[]]>

const HOSTS = [...new Set(Object.values(DOMAINS).flatMap(([hosts]) => hosts))]

interface World {
  readonly site: PolicySite
  readonly peers: ReadonlyMap<string, ScriptedPeer>
  readonly directory: string
}

/** Each host on an address of its own, port 25. */
async function makeWorld(t: Test): Promise<World> {
  const site = await PolicySite.start(t, {}, { dns: 53, https: 443 })
  const peers = new Map<string, ScriptedPeer>()
  for (const [index, host] of HOSTS.entries()) {
    const address = `127.0.0.${index + 2}`
    site.dns.set(host, { A: [address] })
    const isPlain = host === 'mx.plain.test'
    const peer = await ScriptedPeer.start({
      address,
      port: 25,
      ...(!isPlain && { tls: { certificate: { names: [host] } } }),
    })
    t.teardown(async () => peer.close())
    peers.set(host, peer)
  }
  for (const [domain, [hosts, mode, patterns]] of Object.entries(DOMAINS)) {
    site.dns.set(domain, { MX: hosts.map((host, index) => [10 + index, host]) })
    site.publish(domain, 'id1', mode, patterns)
  }
  site.dns.set('none.test', { MX: [[10, 'mx.other.test']] })
  const directory = await mkdtemp(join(tmpdir(), 'mta-sts-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  await writeFile(join(directory, 'ca.pem'), rootPem())
  return { site, peers, directory }
}

/** By which the servers can tell the two systems apart. */
function helo(system: System): string {
  return `${system}.client.test`
}

function sessionsOf({ peers }: World, host: string, system: System): readonly PeerSession[] {
  const sessions = peers.get(host)?.sessions ?? []
  return sessions.filter(({ commands }) => commands.includes(`EHLO ${helo(system)}`))
}

/** One message to each domain. @returns by domain: `MX HOST LEVEL`, or the status code and the reason */
async function deliver(t: Test, world: World, system: System): Promise<Record<string, string>> {
  const ca = join(world.directory, 'ca.pem')
  const name = system === 'posthorn' ? 'policy-3.10' : 'policy'
  const instance = await Instance.create({
    directory: join(world.directory, system),
    commands: system,
    daemons: system,
    exchanged: system === 'postfix' ? ['mtasts'] : [],
    owner: 'postfix',
    main: {
      myhostname: helo(system),
      mydestination: '',
      smtp_tls_policy_maps: `socketmap:unix:private/mta-sts:${name}`,
      smtp_tls_security_level: 'may',
      smtp_tls_CAfile: ca,
      smtp_tls_loglevel: '1',
      mta_sts_CAfile: ca,
    },
    master: ['mta-sts unix - - n - 1 mtasts'],
  })
  t.teardown(async () => instance.stop())
  await instance.start()
  const domains = [...Object.keys(DOMAINS), 'none.test']
  const client = await SmtpClient.open(instance.smtpPort)
  await client.say('EHLO client.test', '250')
  for (const domain of domains) {
    await client.send(`${system}@client.test`, [`user@${domain}`], 'Subject: x\r\n\r\nhello')
  }
  await client.quit()
  const found: Record<string, string> = {}
  for (const domain of domains) {
    const status = new RegExp(`to=<user@${domain}>, relay=([^,[]+).*?, dsn=([0-9.]+), (.*)`)
    const [, relay = '', dsn = '', text = ''] = await waitFor(
      async () => status.exec(await instance.log()) ?? undefined,
      `a status for ${domain}`,
      WAIT_MS,
    ).catch(async () => {
      throw new Error(`no status for ${domain}: ${await instance.log()}`)
    })
    found[domain] = text.startsWith('status=sent') ? `sent to ${relay}` : `${dsn} ${text}`
  }
  const sts = (await instance.log()).match(/mtasts\[\d+\]: .*/g) ?? []
  t.same(
    sts.map((line) => line.replace(/^.*?: /, '')).sort(),
    Object.entries(DOMAINS)
      .map(([domain, [, mode]]) => `${domain}: policy id1 mode ${mode}, max_age 86400`)
      .sort(),
    `${system}: what mtasts(8) says`,
  )
  if (system === 'postfix') {
    const table = `socketmap:unix:${instance.queueDirectory}/private/mta-sts:policy`
    const asked = await execa('/usr/sbin/postmap', ['-q', 'wild.test', table])
    t.equal(asked.stdout, 'secure match=.wild.test servername=hostname')
  }
  return found
}

t.test('mail goes where the policies want it, or waits', async (t) => {
  const world = await makeWorld(t)
  const [ours, theirs] = await Promise.all([
    deliver(t, world, 'posthorn'),
    deliver(t, world, 'postfix'),
  ])
  const unlisted = 'does not satisfy the MTA-STS policy of'
  t.match(ours, {
    'listed.test': 'sent to mx.listed.test',
    'unlisted.test': `4.7.5 status=deferred (MX host mx.other.test ${unlisted} unlisted.test`,
    'wild.test': 'sent to mx.wild.test',
    'deep.test': `4.7.5 status=deferred (MX host a.b.deep.test ${unlisted} deep.test`,
    'plain.test': '4.7.4 status=deferred (TLS is required, but was not offered',
    'testing.test': 'sent to mx.other.test',
    'none.test': 'sent to mx.other.test',
  })
  t.match(theirs, {
    'listed.test': 'sent to mx.listed.test',
    'unlisted.test': '4.7.5 status=deferred (Server certificate not verified)',
    'wild.test': 'sent to mx.wild.test',
    'deep.test': 'sent to a.b.deep.test',
    'plain.test': '4.7.4 status=deferred (TLS is required, but was not offered',
    'testing.test': 'sent to mx.other.test',
    'none.test': 'sent to mx.other.test',
  })
  t.equal(sessionsOf(world, 'a.b.deep.test', 'posthorn').length, 0, 'not even a connection')
  for (const system of ['posthorn', 'postfix'] as const) {
    const others = sessionsOf(world, 'mx.other.test', system).flatMap(({ messages }) => messages)
    t.same(
      others.flatMap(({ recipients }) => recipients).sort(),
      ['<user@none.test>', '<user@testing.test>'],
      'no policy of the others lists that host',
    )
  }
  for (const host of HOSTS.filter((name) => name !== 'mx.plain.test')) {
    const sessions = world.peers.get(host)?.sessions ?? []
    const inPlain = sessions.filter(({ messages, tls }) => messages.length > 0 && tls === undefined)
    t.equal(inPlain.length, 0, `nothing in plaintext to ${host}`)
  }
  t.equal(world.peers.get('mx.plain.test')?.messages.length, 0)
  // each system has its own cache
  t.equal(world.site.requests.length, 2 * Object.keys(DOMAINS).length)
})
