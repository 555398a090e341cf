/**
 * tlsrpt - from the handshakes of smtp(8) to the report in the mailbox of the domain that asked for it
 *
 * One server with a good certificate, one with a certificate for somebody else where policy wants its own name, and a result as
 * libtlsrpt sends it. A reload in between loses nothing. Needs root and what private-network.ts names.
 */
import '../parity/private-network.ts'
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DatagramSocket } from '@posthorn/native/datagram'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { ScriptedPeer, type PeerMessage, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import t, { type Test } from 'tap'
import { Instance } from '../../scripts/instance.ts'

const WAIT_MS = 20_000

/** As libtlsrpt writes it. */
const FOREIGN =
  '{"dpv": "1","d": "foreign.test","pr": "v=TLSRPTv1;rua=mailto:foreign%2Breports@sink.test","policies":[{"policy-type":1,' +
  '"policy-domain": "mx.foreign.test","policy-string":["3 1 1 0123"],"failure-details":[{"c":304,"n": "mx.foreign.test"}],"t":1,"f":1}]}'

const asksFor = (name: string): { TXT: string[] } => ({
  TXT: [`v=TLSRPTv1; rua=mailto:${name}@sink.test`],
})

async function startPeers(t: Test): Promise<ScriptedPeer> {
  const peers: Record<string, PeerOptions> = {
    '127.0.0.2': { tls: { certificate: { names: ['mx.good.test'] } } },
    '127.0.0.3': { tls: { certificate: { names: ['mx.other.test'] } } },
    '127.0.0.4': {},
  }
  let last: ScriptedPeer | undefined
  for (const [address, options] of Object.entries(peers)) {
    const peer = await ScriptedPeer.start({ address, port: 25, ...options })
    t.teardown(async () => peer.close())
    last = peer
  }
  if (last === undefined) throw new Error('no peers')
  return last
}

async function startInstance(t: Test): Promise<Instance> {
  const dns = await FakeDns.start({
    'good.test': { MX: [[10, 'mx.good.test']] },
    'mx.good.test': { A: ['127.0.0.2'] },
    '_smtp._tls.good.test': asksFor('good'),
    'bad.test': { MX: [[10, 'mx.bad.test']] },
    'mx.bad.test': { A: ['127.0.0.3'] },
    '_smtp._tls.bad.test': asksFor('bad'),
    'sink.test': { MX: [[10, 'mx.sink.test']] },
    'mx.sink.test': { A: ['127.0.0.4'] },
  })
  t.teardown(async () => dns.close())
  const directory = await mkdtemp(join(tmpdir(), 'tlsrpt-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  await writeFile(join(directory, 'ca.pem'), rootPem())
  const { address, port } = dns.server
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: 'posthorn',
    daemons: 'posthorn',
    owner: 'postfix',
    main: {
      mydestination: '',
      dns_nameservers: `[${address}]:${port}`,
      smtp_tls_security_level: 'may',
      // what tlsproxy(8) finds out counts as well
      smtp_tls_policy_maps:
        'inline:{ {good.test = secure} {bad.test = secure connection_reuse=yes} }',
      smtp_tls_CAfile: join(directory, 'ca.pem'),
      smtp_tlsrpt_enable: 'yes',
      smtp_tlsrpt_socket_name: 'private/tlsrpt',
      tlsrpt_report_interval: '2s',
      tlsrpt_report_delay: '0s',
      tlsrpt_organization_name: 'The Senders',
    },
    master: ['tlsrpt unix-dgram - - n - 1 tlsrpt'],
  })
  t.teardown(async () => instance.stop())
  await instance.start()
  return instance
}

interface Report {
  readonly 'organization-name': string
  readonly 'report-id': string
  readonly policies: readonly {
    readonly policy: { readonly 'policy-type': string; readonly 'policy-domain': string }
    readonly summary: Readonly<Record<string, number>>
    readonly 'failure-details'?: readonly Readonly<Record<string, unknown>>[]
  }[]
}

function attachmentOf({ content }: PeerMessage): Report {
  const [, base64 = ''] =
    /\r\n filename="[^"]+\.json\.gz"\r\n\r\n([\s\S]+?)\r\n\r\n--/.exec(content) ?? []
  return JSON.parse(gunzipSync(Buffer.from(base64, 'base64')).toString()) as Report
}

const instance = await startInstance(t)
const sink = await startPeers(t)

async function reportFor(recipient: string): Promise<{ message: PeerMessage; report: Report }> {
  const message = await waitFor(
    () => sink.messages.find(({ recipients }) => recipients.includes(`<${recipient}@sink.test>`)),
    `a report for ${recipient}`,
    WAIT_MS,
  ).catch(async () => {
    throw new Error(`no report for ${recipient}: ${await instance.log()}`)
  })
  return { message, report: attachmentOf(message) }
}

t.test('what smtp(8) found arrives where the domains want it', async (t) => {
  const client = await SmtpClient.open(instance.smtpPort)
  await client.say('EHLO client.test', '250')
  for (const domain of ['good.test', 'bad.test']) {
    await client.send('me@client.test', [`user@${domain}`], 'Subject: x\r\n\r\nhello')
  }
  await client.quit()
  await waitFor(
    async () => /bad\.test.*status=deferred/.test(await instance.log()),
    'bad.test',
    WAIT_MS,
  )
  const socket = DatagramSocket.connect(join(instance.queueDirectory, 'private/tlsrpt'))
  socket.send(FOREIGN)
  socket.close()
  await instance.run('postfix', ['reload'])

  const good = await reportFor('good')
  t.match(good.report, {
    'organization-name': 'The Senders',
    'contact-info': 'postmaster@mx.example.test',
    policies: [
      {
        policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'good.test' },
        summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 0 },
      },
    ],
  })
  const { sender, content } = good.message
  t.equal(sender, '<postmaster@mx.example.test>')
  for (const line of [
    'From: TLS reports <postmaster@mx.example.test>',
    'Subject: Report Domain: good.test\r\n Submitter: mx.example.test',
    `Report-ID: <${good.report['report-id']}>`,
    'TLS-Report-Domain: good.test',
    'TLS-Required: No',
    'Message-Id: <',
  ]) {
    t.ok(content.includes(line), line)
  }

  const bad = await reportFor('bad')
  t.match(bad.report.policies, [
    {
      summary: { 'total-successful-session-count': 0, 'total-failure-session-count': 1 },
      'failure-details': [
        {
          'result-type': 'certificate-host-mismatch',
          'receiving-mx-hostname': 'mx.bad.test',
          'receiving-ip': '127.0.0.3',
          'failed-session-count': 1,
        },
      ],
    },
  ])

  const foreign = await reportFor('foreign+reports')
  t.match(foreign.report.policies, [
    {
      policy: {
        'policy-type': 'tlsa',
        'policy-string': ['3 1 1 0123'],
        'policy-domain': 'mx.foreign.test',
      },
      'failure-details': [{ 'result-type': 'tlsa-invalid' }],
    },
  ])
  const log = await instance.log()
  t.match(log, /tlsrpt\[\d+\]: TLSRPT report: domain=good\.test, .*, status=sent \(queued as \w+\)/)
  t.same(log.match(/tlsrpt\[\d+\]: (?:warning|error|fatal|panic): .*/g), null)
  const kept = async (): Promise<string[]> => readdir(join(instance.directory, 'data/tlsrpt'))
  await waitFor(async () => (await kept()).join() === 'lock', 'nothing to be left')
})
