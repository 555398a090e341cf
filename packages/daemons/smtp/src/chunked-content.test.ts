/**
 * chunked-content.test - BDAT to servers that take chunks, refuse them, say nothing or hang up
 */
import { ScriptedPeer, type PeerOptions, type Reply } from '@posthorn/testing/scripted-peer'
import { waitFor } from '@posthorn/testing/wait-for'
import { DELIVERY_FLAGS, noStats } from '@posthorn/wire/delivery-request'
import t, { type Test } from 'tap'
import { TestWorld, type Mail, type Outcome } from './test/test-world.ts'

type StartOptions = NonNullable<Parameters<typeof TestWorld.start>[2]>

const enabled = { smtp_chunking_enable: 'yes', lmtp_chunking_enable: 'yes' }
const chunking = ['CHUNKING', '8BITMIME']
const pipelined = ['PIPELINING', ...chunking]
const BIG = ['Subject: big', '', ...Array.from({ length: 3000 }, () => 'x'.repeat(70))]
const CHUNK = 65_536

async function dialogue(
  test: Test,
  options: PeerOptions,
  mail: Partial<Mail> = {},
  settings: Record<string, string> = {},
  start: StartOptions = {},
): Promise<Outcome & { peer: ScriptedPeer; bdats: string[] }> {
  const peer = await ScriptedPeer.start(options)
  test.teardown(async () => peer.close())
  const world = await TestWorld.start(test, { ...enabled, ...settings }, start)
  const outcome = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}`, ...mail })
  await waitFor(() => peer.sessions.every((session) => session.isClosed), 'the end of all sessions')
  const envelopeEnd = peer.commands.findLastIndex((line) => line.startsWith('RCPT'))
  return { ...outcome, peer, bdats: peer.commands.slice(envelopeEnd + 1) }
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\r\n`).join('')
}

for (const extensions of [chunking, pipelined]) {
  const how = extensions === pipelined ? 'pipelined' : 'one by one'
  t.test(`text goes in chunks of known size, dots as they are, ${how}`, async (t) => {
    const lines = ['', '.', '..two', 'gr\xc3\xbc\xc3\x9fe', ...BIG]
    const octets = text(lines)
    const { peer, bdats, log } = await dialogue(t, { extensions }, { lines })
    const rest = octets.length % CHUNK
    const full = Array<string>((octets.length - rest) / CHUNK).fill(`BDAT ${CHUNK}`)
    t.same(bdats, [...full, `BDAT ${rest} LAST`, 'QUIT'])
    t.equal(peer.messages[0]?.content, octets)
    t.match(log, [/dsn=2\.0\.0, status=sent \(250 2\.0\.0 Ok\)/])
  })

  t.test(`a chunk that is refused ends it: no more text, then RSET, ${how}`, async (t) => {
    const replies = { BDAT: ['250 2.0.0 one', '552 5.3.4 too much', '503 5.5.1 no'] }
    const recipients = ['a@a.test', 'b@a.test']
    const { bdats, peer, log } = await dialogue(
      t,
      { extensions, replies },
      { lines: [...BIG, ...BIG, ...BIG, ...BIG, ...BIG], recipients },
    )
    t.same(bdats.slice(0, 2), [`BDAT ${CHUNK}`, `BDAT ${CHUNK}`])
    t.same(bdats.slice(-2), ['RSET', 'QUIT'])
    t.ok(bdats.length <= 2 + 8 + 2, 'the rest of the window at most')
    if (extensions === chunking) t.equal(bdats.length, 4)
    t.same(peer.messages, [])
    t.match(log, [
      /to=<a@a\.test>, .*dsn=5\.3\.4, status=bounced \(host .* said: 552 5\.3\.4 too much \(in reply to BDAT command\)\)/,
      /to=<b@a\.test>, .*dsn=5\.3\.4, status=bounced/,
    ])
  })

  t.test(`the last chunk is refused, ${how}`, async (t) => {
    const replies = { BDAT: '451 4.3.0 later' }
    const { bdats, log } = await dialogue(t, { extensions, replies })
    t.same(bdats.slice(1), ['QUIT'])
    t.match(log, [
      /dsn=4\.3\.0, status=deferred \(host .* said: 451 4\.3\.0 later \(in reply to BDAT LAST command\)\)/,
    ])
  })

  t.test(`nobody was accepted: no chunk, ${how}`, async (t) => {
    const replies = { RCPT: '550 5.1.1 no' }
    const { bdats, log } = await dialogue(t, { extensions, replies })
    t.same(bdats, ['RSET', 'QUIT'])
    t.match(log, [/dsn=5\.1\.1, status=bounced .*in reply to RCPT TO command/])
    const mail = await dialogue(t, {
      extensions,
      replies: { MAIL: '451 4.7.1 no', RCPT: '503 no' },
    })
    t.same(mail.peer.commands.at(-2), 'RSET')
    t.notOk(mail.peer.commands.some((line) => line.startsWith('BDAT')))
  })
}

t.test('text of one chunk, or of none', async (t) => {
  const exact = ['x'.repeat(998), ...Array<string>(64).fill('y'.repeat(998))]
  const missing = CHUNK - text(exact).length
  const whole = await dialogue(
    t,
    { extensions: pipelined },
    { lines: [...exact, 'z'.repeat(missing - 2)] },
  )
  t.same(whole.bdats, [`BDAT ${CHUNK} LAST`, 'QUIT'])
  const empty = await dialogue(t, { extensions: pipelined }, { content: '' })
  t.same(empty.bdats, ['BDAT 0 LAST', 'QUIT'])
  t.match(empty.log, [/status=sent/])
})

t.test('when it is not used: switched off, not offered, discarded, a probe, a PIX', async (t) => {
  const off = { smtp_chunking_enable: 'no' }
  const { peer } = await dialogue(t, { extensions: pipelined }, {}, off)
  t.ok(peer.commands.includes('DATA'))
  const plain = await dialogue(t, { extensions: ['PIPELINING'] })
  t.ok(plain.peer.commands.includes('DATA'))
  const discarded = { smtp_discard_ehlo_keywords: 'chunking' }
  const without = await dialogue(t, { extensions: pipelined }, {}, discarded)
  t.ok(without.peer.commands.includes('DATA'))
  const probe = { request: { flags: 1 | 256 } }
  const target = { smtp_address_verify_target: 'data' }
  const probed = await dialogue(t, { extensions: pipelined }, probe, target)
  t.match(probed.log, [/status=deliverable \(354 /])
  t.equal(probed.bdats[0], 'DATA')
  const asked = await dialogue(t, { extensions: pipelined }, probe)
  t.same(asked.bdats, ['RSET', 'QUIT'])
  const pix = await dialogue(
    t,
    { extensions: pipelined, replies: { greeting: '220 ****' } },
    { request: { stats: { ...noStats, arrivalMs: 1 } } },
    { smtp_pix_workarounds: 'delay_dotcrlf', smtp_pix_workaround_delay_time: '1s' },
  )
  t.ok(pix.peer.commands.includes('DATA'))
})

t.test('text is edited, made 7-bit and broken as after DATA', async (t) => {
  const settings = { smtp_line_length_limit: '100' }
  const lines = ['Subject: x', '', 'y'.repeat(150)]
  const { peer, log } = await dialogue(t, { extensions: pipelined }, { lines }, settings, {
    args: ['flags=R'],
  })
  const broken = [
    'Return-Path: <from@example.test>',
    'Subject: x',
    '',
    'y'.repeat(100),
    ` ${'y'.repeat(50)}`,
  ]
  t.equal(peer.messages[0]?.content, text(broken))
  t.match(log[0], /breaking line > 100 bytes/)
  const mime = [
    'Content-Type: text/plain',
    'Content-Transfer-Encoding: 8bit',
    '',
    'gr\xc3\xbc\xc3\x9fe',
  ]
  const seven = await dialogue(
    t,
    { extensions: ['CHUNKING'] },
    { lines: mime, request: { encoding: '8bit' } },
  )
  t.equal(
    seven.peer.messages[0]?.content,
    'Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BC=C3=9Fe\r\n',
  )
})

t.test('text that turns out to be damaged costs the mail, not the connection', async (t) => {
  const { log, bdats, peer } = await dialogue(
    t,
    { extensions: pipelined },
    { content: 'N\x05helloQ\x01x' },
  )
  t.match(log[1], /dsn=5\.3\.0, status=bounced \(unreadable mail queue entry\)/)
  t.same(bdats, ['RSET', 'QUIT'])
  t.same(peer.messages, [])
})

t.test('a server that hangs up: no yes counts that is not to the whole', async (t) => {
  const lost =
    /dsn=4\.4\.2, status=deferred \(lost connection with .* while sending (?:message body|end of data)/
  const close = true
  const atLast =
    (reply: Reply) =>
    (line: string): Reply =>
      line.endsWith('LAST') ? reply : '250 2.0.0 chunk'
  const cases: [Reply | Reply[] | ((line: string) => Reply), RegExp][] = [
    [{ close }, lost],
    [['250 ok', { text: '250 ok', reset: true }], lost],
    [{ text: '554 5.7.1 no', close }, /dsn=5\.7\.1, status=bounced .*in reply to BDAT command/],
    [
      { text: '421 4.3.2 shutting down', close },
      /dsn=4\.3\.2, status=deferred .*421 4\.3\.2 .*in reply to BDAT command/,
    ],
    [
      atLast({ close }),
      /dsn=4\.4\.2, .* while sending end of data -- message may be sent more than once\)/,
    ],
    [atLast({ text: '250 2.0.0 Ok', close }), /dsn=2\.0\.0, status=sent/],
  ]
  for (const [BDAT, expected] of cases) {
    for (const extensions of [chunking, pipelined]) {
      const { log } = await dialogue(t, { extensions, replies: { BDAT } }, { lines: BIG })
      t.equal(log.length, 1)
      t.match(log[0], expected)
    }
  }
})

t.test('a server that takes nothing, and one that says nothing', async (t) => {
  const settings = { smtp_data_xfer_timeout: '1s', smtp_data_done_timeout: '1s' }
  const deaf = { text: '250 ok', deafMs: Infinity }
  const lines = Array.from({ length: 40 }, () => BIG).flat()
  const peer = await ScriptedPeer.start({
    extensions: pipelined,
    windowBytes: 4096,
    replies: { 'RCPT ': deaf },
  })
  t.teardown(async () => peer.close())
  const world = await TestWorld.start(t, { ...enabled, ...settings })
  const taken = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}`, lines })
  t.match(taken.log, [
    /dsn=4\.4\.2, status=deferred \(conversation with .* timed out while sending message body\)/,
  ])
  const silent = await dialogue(t, { extensions: chunking, replies: { BDAT: {} } }, {}, settings)
  t.match(silent.log, [
    /timed out while sending end of data -- message may be sent more than once\)/,
  ])
  const deadline = { ...settings, smtp_per_request_deadline: 'yes', smtp_min_data_rate: '100000' }
  const timed = await dialogue(t, { extensions: pipelined }, { lines: BIG }, deadline)
  t.match(timed.log, [/status=sent/])
  t.equal(timed.peer.messages[0]?.content, text(BIG))
})

t.test('LMTP: the last chunk has a reply for each recipient, the others have one', async (t) => {
  const lmtp = { protocol: 'lmtp' } as const
  const recipients = ['a@a.test', 'no@a.test', 'b@a.test']
  const replies = { BDAT: '250 2.0.0 chunk', 'RCPT TO:<no@': '550 5.1.1 no' }
  const lines = BIG
  const rest = text(lines).length % CHUNK
  const last = [`250 2.0.0 first`, '452 4.2.2 full']
  const options = { isLmtp: true, extensions: pipelined }
  const { log, done } = await dialogue(
    t,
    { ...options, replies: { ...replies, [`BDAT ${rest} LAST`]: last } },
    { recipients, lines },
    {},
    lmtp,
  )
  t.match(log, [
    /to=<no@a\.test>, .*status=bounced/,
    /to=<a@a\.test>, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 first\)/,
    /to=<b@a\.test>, .*dsn=4\.2\.2, status=deferred .*\(in reply to BDAT LAST command\)/,
  ])
  t.same(done, ['a@a.test', 'no@a.test'])
  const refused = await dialogue(
    t,
    { ...options, replies: { ...replies, BDAT: '452 4.3.1 full' } },
    { recipients, lines },
    {},
    lmtp,
  )
  const soft = (name: string): RegExp =>
    new RegExp(`to=<${name}@a\\.test>, .*dsn=4\\.3\\.1, status=deferred .*in reply to BDAT command`)
  t.match(refused.log, [/to=<no@a\.test>, .*dsn=5\.1\.1/, soft('a'), soft('b')])
})

t.test('a connection that is kept takes chunks again, and RSET clears a refusal', async (t) => {
  const { success, connectionLoad, connectionStore } = DELIVERY_FLAGS
  const request = { flags: success | connectionLoad | connectionStore }
  const replies = { BDAT: ['250 2.0.0 one', '452 4.3.1 two', '250 2.0.0 three'] }
  const peer = await ScriptedPeer.start({ extensions: pipelined, replies })
  t.teardown(async () => peer.close())
  const world = await TestWorld.start(t, enabled, { concurrency: 2 })
  t.teardown(() => {
    world.client.cache.close()
  })
  const statuses: (string | undefined)[] = []
  for (let count = 0; count < 3; count++) {
    const { log } = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}`, request })
    statuses.push(/status=(\w+)/.exec(log.at(-1) ?? '')?.[1])
  }
  t.same(statuses, ['sent', 'deferred', 'sent'])
  t.equal(peer.sessions.length, 1)
  const verbs = peer.commands.map((line) => line.split(' ', 1)[0])
  t.same(verbs, [
    'EHLO',
    'MAIL',
    'RCPT',
    'BDAT',
    'MAIL',
    'RCPT',
    'BDAT',
    'RSET',
    'MAIL',
    'RCPT',
    'BDAT',
  ])
})

t.test(
  'replies are read while text is sent: more than a window of chunks goes through',
  async (t) => {
    const lines = Array.from({ length: 8 }, () => BIG).flat()
    let replied = 0
    const replies = {
      BDAT: () => {
        replied += 1
        return '250 2.0.0 chunk'
      },
    }
    const { peer, log } = await dialogue(t, { extensions: pipelined, replies }, { lines })
    t.ok(replied > 16)
    t.equal(peer.messages[0]?.content, text(lines))
    t.match(log, [/status=sent/])
  },
)
