/**
 * postmaster-notice.test - which sessions end in a notice, and that mail does not wait for one
 */
import { mkdirSync, symlinkSync } from 'node:fs'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { ScriptedPeer, type Script } from '@posthorn/testing/scripted-peer'
import { announceCleanup, CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import { FakeService } from '@posthorn/wire/fake-service'
import t, { type Test } from 'tap'
import { TestWorld } from './test/test-world.ts'

const END = encodeRecord(RECORD.extracted) + encodeRecord(RECORD.end)

interface Told {
  /** What cleanup(8) got. */
  notices: string[]
  /** How cleanup(8) was to treat them. */
  flags: number[]
  log: string[]
}

async function deliver(
  t: Test,
  replies: Script,
  options: {
    sender?: string
    classes?: string
    hasCleanup?: boolean
    settings?: Record<string, string>
  } = {},
): Promise<Told> {
  const notices: string[] = []
  const flags: number[] = []
  const service = FakeService.start(async (channel) => {
    announceCleanup(channel, '3ABC')
    const request = await channel.receiveReply()
    flags.push(Number(request.find(([name]) => name === 'flags')?.[1]))
    notices.push(await channel.stream.readUntil(END, 100_000))
    channel.sendList([
      ['status', '0'],
      ['reason', ''],
    ])
  })
  t.teardown(() => {
    service[Symbol.dispose]()
  })
  const peer = await ScriptedPeer.start({ replies })
  t.teardown(async () => peer.close())
  const settings = { notify_classes: options.classes ?? 'protocol', ...options.settings }
  const world = await TestWorld.start(t, settings)
  if (options.hasCleanup !== false) {
    mkdirSync('public')
    symlinkSync(service.path, 'public/cleanup')
  }
  const mail = { nexthop: `[127.0.0.1]:${peer.port}`, sender: options.sender ?? 'me@example.test' }
  return { log: (await world.deliver(mail)).log, notices, flags }
}

const odd = { RCPT: `503 5.5.1 ${'words '.repeat(20)}` }

t.test('the transcript of a session with a protocol error goes to the postmaster', async (t) => {
  const { notices } = await deliver(t, odd)
  t.equal(notices.length, 1)
  const [notice = ''] = notices
  t.match(notice, /Subject: \S+ SMTP client: errors from 127\.0\.0\.1\[127\.0\.0\.1\]:\d+/)
  const dialogue = [' In:  220 peer.test ESMTP', ' Out: EHLO client.test', ' Out: RSET']
  for (const line of dialogue) t.ok(notice.includes(encodeRecord(RECORD.line, line)), line)
  // cut at blanks after 78 characters
  const words = 'words '.repeat(10).trimEnd()
  const wrapped = [` In:  503 5.5.1 ${words}`, `     ${words}`]
  t.ok(notice.includes(wrapped.map((line) => encodeRecord(RECORD.line, line)).join('')))
})

t.test('there is no notice when all is well, when nobody asked, or about a notice', async (t) => {
  t.same((await deliver(t, {})).notices, [])
  t.same((await deliver(t, { RCPT: '550 5.1.1 no' })).notices, [])
  t.same((await deliver(t, odd, { classes: 'resource, software' })).notices, [])
  t.same((await deliver(t, odd, { sender: '' })).notices, [])
  t.same((await deliver(t, odd, { sender: 'double-bounce@client.test' })).notices, [])
})

t.test('notices go through filters where internal_mail_filter_classes says so', async (t) => {
  const filtered = CLEANUP_FLAGS.filter | CLEANUP_FLAGS.milter
  for (const [classes, wanted] of [
    ['', 0],
    ['bounce', 0],
    ['notify', filtered],
    ['bounce, notify', filtered],
  ] as const) {
    const { flags } = await deliver(t, odd, { settings: { internal_mail_filter_classes: classes } })
    t.equal((flags[0] ?? -1) & filtered, wanted, classes)
  }
})

t.test('header_from_format says how names stand beside addresses', async (t) => {
  const settings = { header_from_format: 'obsolete' }
  const { notices } = await deliver(t, odd, { settings })
  for (const line of [
    'From: MAILER-DAEMON@client.test (Mail Delivery System)',
    'To: postmaster@client.test (Postmaster)',
  ]) {
    t.ok(notices[0]?.includes(encodeRecord(RECORD.line, line)), line)
  }
})

t.test('mail does not wait for a notice that cannot be queued', async (t) => {
  const { log } = await deliver(t, odd, { hasCleanup: false })
  t.match(log, [/status=bounced/, 'warning: postmaster notify: No such file or directory'])
})
