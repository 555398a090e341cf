/**
 * content-edits.test - generic maps, header and body checks and the DNS reply filter, in deliveries to a scripted server
 */
import { MainConfig } from '@posthorn/config/main-config'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import t, { type Test } from 'tap'
import { openClientTables } from './client-tables.ts'
import { TestWorld, type Mail, type Outcome } from './test/test-world.ts'

async function deliver(
  t: Test,
  settings: Record<string, string>,
  mail: Partial<Mail> = {},
): Promise<Outcome & { peer: ScriptedPeer }> {
  const peer = await ScriptedPeer.start()
  t.teardown(async () => peer.close())
  const { tables } = openClientTables(MainConfig.of(settings), 'smtp')
  const world = await TestWorld.start(t, settings, { tables })
  t.teardown(() => {
    world.client.cache.close()
  })
  return { ...(await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}`, ...mail })), peer }
}

const lines = [
  'From: Me <me@inside.local>',
  'Subject: of me@inside.local',
  '',
  'the secret of me@inside.local',
]

t.test('a message without anything to change is copied as it is', async (t) => {
  const { peer } = await deliver(t, {}, { lines })
  t.equal(peer.messages[0]?.content, `${lines.join('\r\n')}\r\n`)
})

t.test('header and body checks change, drop, add and report lines', async (t) => {
  const settings = {
    smtp_header_checks: 'regexp:{{/^Subject:/ PREPEND X-Seen: yes} {/^From:/ WARN look}}',
    smtp_body_checks: 'regexp:{{/secret/ REPLACE nothing}}',
  }
  const { peer, log } = await deliver(t, settings, { lines })
  t.equal(
    peer.messages[0]?.content,
    [lines[0], 'X-Seen: yes', lines[1], '', 'nothing', ''].join('\r\n'),
  )
  t.same(log.slice(0, 3), [
    '0123456789A: warning: header From: Me <me@inside.local>: look',
    '0123456789A: prepend: header Subject: of me@inside.local: X-Seen: yes',
    '0123456789A: replace: body the secret of me@inside.local: nothing',
  ])
})

t.test('MIME headers and those of attached messages have tables of their own', async (t) => {
  const settings = {
    smtp_mime_header_checks: 'regexp:{{/^Content-Type: text/ STRIP}}',
    smtp_nested_header_checks: 'regexp:{{/^Subject:/ IGNORE}}',
  }
  const parts = ['Subject: outer', 'Content-Type: multipart/mixed; boundary=b', '', '--b']
  const attached = [
    'Content-Type: message/rfc822',
    '',
    'Subject: inner',
    'To: x',
    '',
    'text',
    '--b--',
  ]
  const mail = [...parts, 'Content-Type: text/plain', '', 'Subject: body', '--b', ...attached]
  const { peer } = await deliver(t, settings, { lines: mail })
  const gone = new Set(['Content-Type: text/plain', 'Subject: inner'])
  t.equal(peer.messages[0]?.content, `${mail.filter((line) => !gone.has(line)).join('\r\n')}\r\n`)
})

t.test(
  'a table that cannot be asked makes the mail wait, and no text is sent for good',
  async (t) => {
    for (const name of ['smtp_header_checks', 'smtp_body_checks']) {
      const { peer, log, hopStatus } = await deliver(t, { [name]: 'fail:broken' }, { lines })
      t.match(log.at(-1), /dsn=4\.3\.0, status=deferred \(local data error while talking to /)
      t.equal(peer.messages.length, 0)
      t.match(hopStatus, { status: '4.3.0' })
    }
  },
)

t.test('parts within parts beyond mime_nesting_limit cannot be made 7-bit', async (t) => {
  const nested = Array.from({ length: 4 }, (_, level) => [
    `Content-Type: multipart/mixed; boundary=b${level}`,
    '',
    `--b${level}`,
  ]).flat()
  const settings = { mime_nesting_limit: '1', smtp_header_checks: 'regexp:{{/^X-/ IGNORE}}' }
  const asItIs = await deliver(t, settings, { lines: nested })
  t.match(asItIs.log.at(-1), /status=sent/)
  const converted = await deliver(t, settings, { lines: nested, request: { encoding: '8bit' } })
  t.match(converted.log.at(-1), /dsn=5\.6\.0, status=bounced \(MIME nesting exceeds safety limit\)/)
  t.equal(converted.peer.messages.length, 0)
})

t.test('GenericMaps: a table that fails makes the mail wait before anything is said', async (t) => {
  const { peer, log } = await deliver(t, { smtp_generic_maps: 'fail:broken' }, { lines })
  t.match(log, [
    /fail:broken lookup error for "from@example\.test"/,
    'warning: 0123456789A: smtp_generic_maps map lookup problem for from@example.test',
    /dsn=4\.3\.0, status=deferred/,
  ])
  t.same(peer.commands, ['EHLO client.test'])
})

t.test('GenericMaps: addresses that are not in the table stay', async (t) => {
  const { peer } = await deliver(t, { smtp_generic_maps: 'inline:{x@y.test=z@y.test}' }, { lines })
  t.equal(peer.messages[0]?.content, `${lines.join('\r\n')}\r\n`)
  t.equal(peer.messages[0]?.sender, '<from@example.test>')
})

t.test(
  'DnsReplyFilter drops records; a domain of which nothing is left is tried again',
  async (t) => {
    const dns = await FakeDns.start({
      'a.test': { MX: [[10, 'mx.a.test']] },
      'mx.a.test': { A: ['127.0.0.1', '192.0.2.1'] },
    })
    t.teardown(async () => dns.close())
    const base = { dns_nameservers: dns.nameservers, smtp_dns_resolver_options: '' }
    const one = { smtp_dns_reply_filter: 'regexp:{{/^mx\\.a\\.test\\. 300 IN A 192/ IGNORE}}' }
    const peer = await ScriptedPeer.start()
    t.teardown(async () => peer.close())
    const sent = await deliver(t, { ...base, ...one }, { nexthop: `a.test:${peer.port}` })
    t.equal(sent.log[0], 'ignoring DNS RR: mx.a.test. 300 IN A 192.0.2.1')
    t.equal(peer.messages.length, 1)
    const all = { smtp_dns_reply_filter: 'regexp:{{/ IN MX 10 mx\\.a\\.test\\.$$/ ignore}}' }
    const left = await deliver(t, { ...base, ...all }, { nexthop: `a.test:${peer.port}` })
    t.match(
      left.log.at(-1),
      /dsn=4\.7\.0, status=deferred \(Error looking up name=a\.test type=MX: DNS reply filter drops all results\)/,
    )
  },
)
